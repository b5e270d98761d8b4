#if !__has_include(<isa-l/igzip_lib.h>)
#error "isa-l/igzip_lib.h is missing. Install it with: sudo apt-get install libisal-dev"
#endif
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
