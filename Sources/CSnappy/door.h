#if !__has_include(<snappy-c.h>)
#error "snappy-c.h is missing. Install it with: sudo apt-get install libsnappy-dev"
#endif
#include <snappy-c.h>
