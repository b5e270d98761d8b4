#if !__has_include(<xxhash.h>)
#error "xxhash.h is missing. Install it with: sudo apt-get install libxxhash-dev"
#endif
#include <xxhash.h>
