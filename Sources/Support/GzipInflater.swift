import CISAL

/// Decompresses gzip members piece by piece.
///
/// By ISA-L, which takes a third to half of the time of zlib.
final class GzipInflater {
  /// The state holds its window of output: some hundred kilobytes.
  private let state = UnsafeMutablePointer<inflate_state>.allocate(capacity: 1)

  init() { reset() }

  deinit { state.deallocate() }

  /// What comes next is the beginning of a member.
  func reset() {
    isal_inflate_init(state)
    state.pointee.crc_flag = UInt32(ISAL_GZIP)
  }

  struct Step {
    /// Bytes taken and bytes delivered.
    var consumed: Int
    var produced: Int
    /// The member has ended; whether its checksum is right the problem tells.
    var isAtEnd: Bool
    /// Why the member cannot be read on; what was produced is good as far as anybody can tell.
    var problem: String?
  }

  /// Takes from `input` and fills `output` as far as the member and the input go.
  ///
  /// Output may be held back: without any more input there is more to come until nothing is produced.
  func inflate(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Step {
    let limit = 1 << 30
    let (available, room) = (min(input.count, limit), min(output.count, limit))
    state.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    state.pointee.avail_in = UInt32(available)
    state.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    state.pointee.avail_out = UInt32(room)
    let status = isal_inflate(state)
    return Step(
      consumed: available - Int(state.pointee.avail_in), produced: room - Int(state.pointee.avail_out),
      isAtEnd: state.pointee.block_state == ISAL_BLOCK_FINISH, problem: Self.problem(status))
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
