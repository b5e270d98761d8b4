import CISAL

/// A streaming decompressor of gzip members.
///
/// Uses ISA-L, which takes a third to half of the time that zlib takes.
final class GzipInflater {
  static let magic: [UInt8] = [0x1f, 0x8b]

  /// Some hundred kilobytes: it includes the window of earlier output.
  private let state = UnsafeMutablePointer<inflate_state>.allocate(capacity: 1)

  init() { reset() }

  deinit { state.deallocate() }

  /// Prepares for the beginning of a member.
  func reset() {
    isal_inflate_init(state)
    state.pointee.crc_flag = UInt32(ISAL_GZIP)
  }

  /// Decompresses `input` into `output` until the input, the output or the member ends.
  ///
  /// The state may hold back output: at the end of the input, call again until nothing more is produced.
  func inflate(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer)
    -> DecompressionStep
  {
    let limit = 1 << 30
    let (available, capacity) = (min(input.count, limit), min(output.count, limit))
    state.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    state.pointee.avail_in = UInt32(available)
    state.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    state.pointee.avail_out = UInt32(capacity)
    let status = isal_inflate(state)
    return DecompressionStep(
      consumed: available - Int(state.pointee.avail_in), produced: capacity - Int(state.pointee.avail_out),
      isAtEnd: state.pointee.block_state == ISAL_BLOCK_FINISH || status == ISAL_INCORRECT_CHECKSUM,
      problem: Self.problem(status))
  }

  private static func problem(_ status: Int32) -> String? {
    switch status {
    case ISAL_DECOMP_OK: nil
    case ISAL_INVALID_WRAPPER: "no header"
    case ISAL_UNSUPPORTED_METHOD: "unknown method"
    case ISAL_INCORRECT_CHECKSUM: "wrong checksum"
    case ISAL_INVALID_LOOKBACK: "a reference to before the beginning"
    case ISAL_INVALID_SYMBOL: "an invalid symbol"
    case ISAL_INVALID_BLOCK: "an invalid block"
    default: "code \(status)"
    }
  }
}
