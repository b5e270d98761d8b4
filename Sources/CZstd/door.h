#if !__has_include(<zstd.h>)
#error "zstd.h is missing. Install it with: sudo apt-get install libzstd-dev"
#endif
#include <zstd.h>
#include <zstd_errors.h>

// ZSTD_c_literalCompressionMode, which the header names only for static linking: at 1 bytes are coded by their frequencies also
// where zstd searches so little that it would leave them as they are.
static const ZSTD_cParameter pkm_zstd_codes_literals = ZSTD_c_experimentalParam5;
