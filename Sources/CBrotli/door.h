#if !__has_include(<brotli/decode.h>)
#error "brotli/decode.h is missing. Install it with: sudo apt-get install libbrotli-dev"
#endif
#include <brotli/decode.h>
