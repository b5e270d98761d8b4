import CZstd

/// A streaming decompressor of zstd frames, all with the same dictionary if one was given.
final class ZstdInflater {
  private let context: OpaquePointer
  /// The name of the input, for messages.
  private let file: String
  /// The number of input bytes up to the end of the next block; nil at the beginning of a frame.
  private var wanted: Int?
  /// Whether the last call filled its output, so that the rest of the block may still be waiting.
  private var filledOutput = false

  /// The input that zstd needs before it knows the size of a frame's header.
  private static let leastHeader = 5
  private static let blockHeader = 3

  init(file: String) throws {
    self.file = file
    guard let context = ZSTD_createDCtx() else { throw Failure.noMemory("to decompress zstd", file: file) }
    self.context = context
    // Files written with long windows (--long=31) are read too; their window takes up to 2 GiB of memory.
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 31)
  }

  deinit { ZSTD_freeDCtx(context) }

  /// Prepares for the beginning of a frame.
  func reset() {
    ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
    (wanted, filledOutput) = (nil, false)
  }

  /// Uses a dictionary for all further frames; returns why that is impossible.
  func load(dictionary: [UInt8]) throws -> String? {
    let status = dictionary.withUnsafeBytes { ZSTD_DCtx_loadDictionary(context, $0.baseAddress, $0.count) }
    return try problem(status, UnsafeRawBufferPointer(start: nil, count: 0))
  }

  /// Decompresses `input` into `output` until the input, the output or the frame ends.
  ///
  /// When zstd finds an error, it does not say how much it had written. So the first call of a frame takes all of
  /// the input, which is fastest, but every other call takes one block at most, and so does the first one if it
  /// fails; after a call that filled the output, the rest of its block comes first. Thus all blocks before a damaged
  /// one are delivered, and all of them if only the checksum is wrong.
  func inflate(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws
    -> DecompressionStep
  {
    var taken = input
    if let wanted { taken = UnsafeRawBufferPointer(rebasing: input.prefix(filledOutput ? 0 : wanted)) }
    var (step, status) = decompress(taken, output)
    if wanted == nil, ZSTD_isError(status) != 0, ZSTD_getErrorCode(status) != ZSTD_error_memory_allocation {
      reset()
      taken = UnsafeRawBufferPointer(rebasing: input.prefix(Self.leastHeader))
      (step, status) = decompress(taken, output)
    }
    step.problem = try problem(status, input)
    if ZSTD_getErrorCode(status) == ZSTD_error_checksum_wrong {
      // The call took the four bytes of the checksum or the last of them.
      (step.consumed, step.isAtEnd) = (taken.count, true)
    }
    // zstd asks for a block and the header of the next one, which may be damaged.
    let asked = ZSTD_isError(status) != 0 || status == 0 ? nil : status
    wanted = asked.map { $0 > Self.blockHeader ? $0 - Self.blockHeader : $0 }
    filledOutput = step.produced == output.count
    return step
  }

  private func decompress(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer)
    -> (DecompressionStep, Int)
  {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    let status = ZSTD_decompressStream(context, &target, &source)
    return (
      DecompressionStep(consumed: source.pos, produced: target.pos, isAtEnd: status == 0, problem: nil),
      status
    )
  }

  /// Why a call failed; `frame` begins with the frame at its first call.
  private func problem(_ status: Int, _ frame: UnsafeRawBufferPointer) throws -> String? {
    if ZSTD_isError(status) == 0 { return nil }
    switch ZSTD_getErrorCode(status) {
    case ZSTD_error_memory_allocation:
      let window = Self.window(of: frame).map { ", whose window takes \($0 >> 20) MiB" } ?? ""
      throw Failure.noMemory("to decompress a zstd frame\(window)", file: file)
    case ZSTD_error_frameParameter_windowTooLarge:
      return "a window of more than 2 GiB; compress it again with zstd --long=31 or less"
    case ZSTD_error_dictionary_wrong:
      return "it needs a dictionary that is not in the file"
    case ZSTD_error_checksum_wrong: return "wrong checksum"
    default: return String(cString: ZSTD_getErrorName(status))
    }
  }

  /// The size of the window that the header of a frame asks for (RFC 8878, section 3.1.1.1.2); nil if it is not
  /// stated.
  private static func window(of frame: UnsafeRawBufferPointer) -> Int? {
    let isSingleSegment: UInt8 = 0x20
    guard frame.count > 5, frame[4] & isSingleSegment == 0 else { return nil }
    let base = 1 << (10 + Int(frame[5] >> 3))
    return base + base / 8 * Int(frame[5] & 7)
  }
}

extension ZstdInflater {
  /// Whether the bytes begin like a frame, skippable ones included.
  static func isFrame(_ bytes: some Collection<UInt8>) -> Bool {
    if bytes.starts(with: magic) { return true }
    return bytes.count >= 4 && bytes.dropFirst().prefix(3).elementsEqual([0x2a, 0x4d, 0x18])
      && bytes.first! & 0xf0 == 0x50
  }

  /// Whether the bytes, fewer than a magic number, begin that of a frame, skippable ones included.
  static func isBeginningOfFrame(_ bytes: some Collection<UInt8>) -> Bool {
    if magic.starts(with: bytes) { return true }
    guard let first = bytes.first, first & 0xf0 == 0x50 else { return false }
    return [0x2a, 0x4d, 0x18].starts(with: bytes.dropFirst())
  }

  static let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]
}
