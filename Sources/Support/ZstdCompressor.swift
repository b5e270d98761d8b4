import CZstd

/// Compresses zstd frames, one after another, with the same tables.
package final class ZstdCompressor {
  private let context = ZSTD_createCCtx()

  /// From level 1 on zstd searches for repetitions; level 0 only codes bytes by their frequencies.
  package init(level: Int) {
    let settings: [(ZSTD_cParameter, Int)] =
      level > 0
      ? [(ZSTD_c_compressionLevel, level)]
      : [
        (ZSTD_c_compressionLevel, -1), (ZSTD_c_targetLength, 1 << 17),
        (pkm_zstd_codes_literals, 1),
      ]
    for (parameter, value) in settings {
      let result = ZSTD_CCtx_setParameter(context, parameter, Int32(value))
      precondition(ZSTD_isError(result) == 0)
    }
  }

  deinit { ZSTD_freeCCtx(context) }

  /// Returns one frame with its content size in the header.
  package func compress(_ bytes: UnsafeRawBufferPointer) throws -> [UInt8] {
    let bound = ZSTD_compressBound(bytes.count)
    return try [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      let size = ZSTD_compress2(context, buffer.baseAddress, bound, bytes.baseAddress, bytes.count)
      if ZSTD_isError(size) != 0 {
        throw Failure(.failed, "zstd: \(String(cString: ZSTD_getErrorName(size)))")
      }
      count = size
    }
  }
}
