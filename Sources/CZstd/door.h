#if !__has_include(<zstd.h>)
#error "zstd.h is missing. Install it with: sudo apt-get install libzstd-dev"
#endif
#include <zstd.h>
