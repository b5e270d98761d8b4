#if !__has_include(<lz4.h>)
#error "lz4.h is missing. Install it with: sudo apt-get install liblz4-dev"
#endif
#include <lz4.h>
