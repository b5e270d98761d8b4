#if !__has_include(<openssl/sha.h>)
#error "openssl/sha.h is missing. Install it with: sudo apt-get install libssl-dev"
#endif
#include <openssl/sha.h>
