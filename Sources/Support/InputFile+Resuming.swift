import Foundation

extension InputFile {
  /// How far before the detected damage the search for the next member or frame begins: the decoder may have
  /// run past its beginning before it noticed the damage, even to the end of another one and its checksum.
  private static let stepBack = 1 << 20

  /// Searches for the next gzip member or zstd frame after ``damage`` and continues there.
  ///
  /// Returns false if there is none: the stream has ended. The magic number occurs by chance in compressed data, so the
  /// rest of the header must be a usual one, or the bytes after it must decompress. The member or frame may be damaged
  /// itself: then the next read finds that out, and it is counted as well.
  package func resume() throws -> Bool {
    guard let offsetOfDamage = damage?.offset, coding != .plain else { return false }
    if size != nil {
      // A cut frame without a checksum may end well in the middle of the next one.
      let mayHoldNext = isInsideUnit || coding == .zstd
      let start = min(
        offset, max(mayHoldNext ? unitStart + 4 : offsetOfDamage, offsetOfDamage - Self.stepBack))
      let startOfBuffer = offset - pending.upperBound
      if start >= startOfBuffer {
        pending = (start - startOfBuffer)..<pending.upperBound
      } else if lseek(descriptor, off_t(start - offset), SEEK_CUR) >= 0 {
        offset = start
        pending = 0..<0
        reachedEnd = false
      }
    }
    let magic: [UInt8] = coding == .gzip ? [0x1f, 0x8b, 0x08] : ZstdInflater.magic
    while true {
      try fill(atLeast: 1 << 12)
      let window = UnsafeRawBufferPointer(rebasing: input[pending])
      guard let found = ByteSearch.first(magic, in: window) else {
        if reachedEnd {
          pending = 0..<0
          return false
        }
        pending = (pending.upperBound - magic.count + 1)..<pending.upperBound
        continue
      }
      pending = (pending.lowerBound + found)..<pending.upperBound
      try fill(atLeast: 1 << 14)
      if isBeginning(UnsafeRawBufferPointer(rebasing: input[pending])) {
        damage = nil
        isInsideUnit = false
        return true
      }
      pending = (pending.lowerBound + 1)..<pending.upperBound
    }
  }

  /// Whether the bytes begin a member or frame, which may be damaged.
  private func isBeginning(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let gzip else {
      // The fifth byte has an unused and a reserved bit. By chance a header is as possible once in 16 GB.
      return bytes.count > 4 && bytes[4] & 0x18 == 0
    }
    guard Self.isPossibleHeader(bytes) else { return false }
    if Self.isUsualHeader(bytes) { return true }
    return withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 64) { scratch in
      gzip.reset()
      let step = gzip.inflate(UnsafeRawBufferPointer(rebasing: bytes.prefix(1 << 14)), into: scratch)
      return step.isAtEnd || (step.problem == nil && step.produced > 0)
    }
  }

  /// Whether the reserved flags are unset.
  private static func isPossibleHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count > 9 && bytes[3] & 0xe0 == 0
  }

  /// Whether the last two bytes of the fixed part of a header have values that RFC 1952 names: the compression and the
  /// operating system. By chance a whole header is as usual once in 200 GB.
  private static func isUsualHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
    [0, 2, 4].contains(bytes[8]) && (bytes[9] <= 13 || bytes[9] == 255)
  }
}
