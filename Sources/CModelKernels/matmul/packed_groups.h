// Operands as registers take them: words of a real, or of two neighbors of a row in bfloat16.
#if REAL_IS_FLOAT
typedef uint32_t packed_word;
#else
typedef uint64_t packed_word;
#endif

// Words of k numbers: in bfloat16 pairs of neighbors, the last one perhaps half empty.
INLINE long word_count(long k, const bool bf16) { return bf16 ? (k + 1) / 2 : k; }

#if REAL_IS_FLOAT && HAS_AVX512
// 16 × 16 words transposed: row j of `in`, `stride` words apart, becomes word j of the rows of `out`.
INLINE void transpose_words(const __m512i in[16], packed_word *out, long out_stride) {
  __m512i t[16], u[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; j++) {
      u[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
      u[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
    }
  }
  // u[4 g + q] holds in its quarter l the words 4 l + q of the rows 4 g to 4 g + 3.
  for (int q = 0; q < 4; q++) {
    __m512i low = _mm512_shuffle_i32x4(u[q], u[4 + q], 0x44), high = _mm512_shuffle_i32x4(u[q], u[4 + q], 0xee);
    __m512i low2 = _mm512_shuffle_i32x4(u[8 + q], u[12 + q], 0x44), high2 = _mm512_shuffle_i32x4(u[8 + q], u[12 + q], 0xee);
    _mm512_storeu_si512(out + (0 + q) * out_stride, _mm512_shuffle_i32x4(low, low2, 0x88));
    _mm512_storeu_si512(out + (4 + q) * out_stride, _mm512_shuffle_i32x4(low, low2, 0xdd));
    _mm512_storeu_si512(out + (8 + q) * out_stride, _mm512_shuffle_i32x4(high, high2, 0x88));
    _mm512_storeu_si512(out + (12 + q) * out_stride, _mm512_shuffle_i32x4(high, high2, 0xdd));
  }
}

// The words p..p + 15 of up to 16 rows of a matrix whose rows are k long, and zeros for what is missing.
INLINE void load_words(__m512i rows[16], long count, const void *x, long stride, long p, long k, const bool bf16) {
  const long size = bf16 ? 2 : 4, bytes = k * size - 4 * p < 64 ? k * size - 4 * p : 64;
  const __mmask64 mask = bytes == 64 ? ~(__mmask64)0 : ((__mmask64)1 << bytes) - 1;
  for (long j = 0; j < 16; j++) {
    rows[j] = j < count ? _mm512_maskz_loadu_epi8(mask, (const char *)x + j * stride * size + 4 * p) : _mm512_setzero_si512();
  }
}
#endif
