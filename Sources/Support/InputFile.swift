import CZstd
import Foundation

/// A stream of bytes from a file, standard input (`-`) or an ``InnerPipe``. Content that is gzip (any number
/// of members) or zstd (any number of frames) is decompressed.
///
/// Truncated or corrupt compressed input does not throw: the stream delivers the bytes before the damage and
/// ends, and ``damage`` says what was lost. The caller decides whether that is an error, and may ``resume()``
/// after it.
package final class InputFile {
  package let path: String
  package private(set) var damage: Damage?
  /// The bytes read from the file on disk so far, for progress against ``size``.
  package private(set) var offset = 0
  /// The size of the file on disk in bytes; nil for a pipe.
  package let size: Int?

  private enum Coding { case plain, gzip, zstd }

  private let pipe: InnerPipe?
  private let descriptor: Int32
  private let ownsDescriptor: Bool
  private let statusAtOpening: stat
  private var coding = Coding.plain
  private var input: UnsafeMutableRawBufferPointer
  /// The undecoded part of `input`.
  private var pending = 0..<0
  private var reachedEnd = false
  private var gzip: GzipInflater?
  /// Inside a gzip member or zstd frame: an end of file here is a truncation.
  package private(set) var isInsideUnit = false
  /// The offset at which that member or frame began.
  private var unitStart = 0

  /// The offset in the file of the next byte to be decompressed.
  package var unitOffset: Int { offset - pending.count }
  private var zstd: OpaquePointer?

  package convenience init(_ path: String) throws { try self.init(.path(path)) }

  package init(_ source: InputSource) throws {
    path = source.name
    pipe = source.pipe
    ownsDescriptor = path != "-" && pipe == nil
    descriptor = ownsDescriptor ? try SystemCall.open(path, O_RDONLY) : STDIN_FILENO
    var status = stat()
    if pipe == nil { fstat(descriptor, &status) }
    statusAtOpening = status
    if status.st_mode & S_IFMT == S_IFDIR {
      if ownsDescriptor { close(descriptor) }
      throw Failure(.inputOutput, "is a directory", file: path)
    }
    size = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    input = .allocate(byteCount: 1 << 17, alignment: 64)
    try fill(atLeast: 1)
    // No more than needed: a user who types waits for the answer to the first line.
    if let first = input[pending].first, first == 0x1f || first == 0x28 || first & 0xf0 == 0x50 {
      try fill(atLeast: 4)
    }
    coding = Self.coding(of: input[pending])
    switch coding {
    case .plain: break
    case .gzip: gzip = GzipInflater()
    case .zstd:
      zstd = ZSTD_createDCtx()
      // Files written with long windows (--long=31) are read too; their window takes up to 2 GB of memory.
      ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 31)
    }
  }

  deinit {
    if ownsDescriptor { close(descriptor) }
    if let zstd { ZSTD_freeDCtx(zstd) }
    input.deallocate()
  }

  private static func coding(of bytes: Slice<UnsafeMutableRawBufferPointer>) -> Coding {
    if bytes.starts(with: [0x1f, 0x8b]) { return .gzip }
    if bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return .zstd }
    let isSkippableFrame = bytes.count >= 4 && bytes.dropFirst().prefix(3).elementsEqual([0x2a, 0x4d, 0x18])
    return isSkippableFrame && bytes.first! & 0xf0 == 0x50 ? .zstd : .plain
  }

  /// Reads until `pending` holds `count` bytes or the file ends.
  private func fill(atLeast count: Int) throws {
    while pending.count < count && !reachedEnd {
      if pending.isEmpty {
        pending = 0..<0
      } else if pending.lowerBound > 0 {
        memmove(input.baseAddress!, input.baseAddress! + pending.lowerBound, pending.count)
        pending = 0..<pending.count
      }
      let free = UnsafeMutableRawBufferPointer(rebasing: input[pending.upperBound...])
      let read = try readBytes(into: free)
      if read == 0 { reachedEnd = true }
      offset += read
      pending = pending.lowerBound..<(pending.upperBound + read)
    }
  }

  /// Bytes as they come; 0 at the end.
  private func readBytes(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try pipe?.read(into: buffer) ?? SystemCall.read(descriptor, into: buffer, path: path)
  }

  /// Fills the buffer and returns the number of bytes read, which is less than its size only at the end of
  /// the stream.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var filled = 0
    while filled < buffer.count {
      let count = try readSome(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// Like ``read(into:)`` but returns as soon as any bytes are there, for interactive pipes.
  package func readSome(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    guard damage == nil, !buffer.isEmpty else { return 0 }
    switch coding {
    case .plain: return try readPlain(into: buffer)
    case .gzip: return try readGzip(into: buffer)
    case .zstd: return try readZstd(into: buffer)
    }
  }

  /// Whether the size or the modification time of the file has changed since it was opened.
  package var hasChanged: Bool {
    var status = stat()
    guard size != nil, fstat(descriptor, &status) == 0 else { return false }
    let then = statusAtOpening
    return status.st_size != then.st_size || status.st_mtim.tv_sec != then.st_mtim.tv_sec
      || status.st_mtim.tv_nsec != then.st_mtim.tv_nsec
  }

  /// Whether a pipe or terminal has nothing to read for `milliseconds`: its writer is slow, or a user types.
  package func isSilent(forMilliseconds milliseconds: Int32) -> Bool {
    guard size == nil, pipe == nil, pending.isEmpty, !reachedEnd else { return false }
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&wait, 1, milliseconds) == 0
  }

  /// The uncompressed bytes still to come, if that is known; a lower bound for a file that grows.
  package var plainBytesLeft: Int? {
    coding == .plain ? size.map { max(0, $0 - offset) + pending.count } : nil
  }

  private func readPlain(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if pending.isEmpty && !reachedEnd {
      let read = try readBytes(into: buffer)
      if read == 0 { reachedEnd = true }
      offset += read
      return read
    }
    let count = min(pending.count, buffer.count)
    memcpy(buffer.baseAddress!, input.baseAddress! + pending.lowerBound, count)
    pending = (pending.lowerBound + count)..<pending.upperBound
    return count
  }

  private func readGzip(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      if !isInsideUnit {
        try fill(atLeast: 2)
        if pending.isEmpty { return 0 }
        guard input[pending].starts(with: [0x1f, 0x8b]) else {
          // tar and tape tools pad with zeros; anything else after the last member is reported.
          if input[pending].allSatisfy({ $0 == 0 }) {
            pending = 0..<0
            continue
          }
          return stop(.foreignBytes, "bytes that are not gzip follow the last member, ignored")
        }
        beginUnit()
      }
      try fill(atLeast: 1)
      let step = gzip!.inflate(UnsafeRawBufferPointer(rebasing: input[pending]), into: buffer)
      pending = (pending.lowerBound + step.consumed)..<pending.upperBound
      if let problem = step.problem {
        _ = stop(.gzipMember, "the gzip member is corrupt (\(problem))")
        return step.produced
      } else if step.isAtEnd {
        isInsideUnit = false
      } else if step.produced == 0 && pending.isEmpty && reachedEnd {
        return stop(.gzipMember, "the gzip member is truncated")
      }
      if step.produced > 0 { return step.produced }
    }
  }

  private func readZstd(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      try fill(atLeast: isInsideUnit ? 1 : 4)
      if pending.isEmpty { return isInsideUnit ? stop(.zstdFrame, "the zstd frame is truncated") : 0 }
      if !isInsideUnit {
        guard Self.coding(of: input[pending]) == .zstd else {
          return stop(.foreignBytes, "bytes that are not zstd follow the last frame, ignored")
        }
        beginUnit()
      }
      var source = ZSTD_inBuffer(
        src: UnsafeRawPointer(input.baseAddress! + pending.lowerBound), size: pending.count, pos: 0)
      var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
      let status = ZSTD_decompressStream(zstd, &target, &source)
      pending = (pending.lowerBound + source.pos)..<pending.upperBound
      if ZSTD_isError(status) != 0 {
        let reason = String(cString: ZSTD_getErrorName(status))
        _ = stop(.zstdFrame, "the zstd frame is corrupt (\(reason))")
        return target.pos
      }
      isInsideUnit = status != 0
      if target.pos > 0 { return target.pos }
    }
  }

  private func beginUnit() {
    unitStart = offset - pending.count
    isInsideUnit = true
    gzip?.reset()
    if let zstd { ZSTD_DCtx_reset(zstd, ZSTD_reset_session_only) }
  }

  private func stop(_ kind: Damage.Kind, _ reason: String) -> Int {
    damage = Damage(kind: kind, file: path, offset: offset - pending.count, reason: reason)
    return 0
  }
}

// Reading on after damage.
extension InputFile {
  /// How far before the detected damage the search for the next member or frame begins: the decoder may have
  /// run past its beginning before it noticed the damage.
  private static let stepBack = 1 << 20

  /// Searches for the next gzip member or zstd frame after ``damage`` and continues there.
  ///
  /// Accepts a header only if the bytes after it decompress. Returns false if there is none: the stream has
  /// ended.
  package func resume() throws -> Bool {
    guard let offsetOfDamage = damage?.offset, coding != .plain else { return false }
    if size != nil {
      let start = max(isInsideUnit ? unitStart + 4 : offsetOfDamage, offsetOfDamage - Self.stepBack)
      if lseek(descriptor, off_t(start - offset), SEEK_CUR) >= 0 {
        offset = start
        pending = 0..<0
        reachedEnd = false
      }
    }
    let magic: [UInt8] = coding == .gzip ? [0x1f, 0x8b, 0x08] : [0x28, 0xb5, 0x2f, 0xfd]
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
      try fill(atLeast: 1 << 12)
      if canDecode(UnsafeRawBufferPointer(rebasing: input[pending])) {
        damage = nil
        isInsideUnit = false
        return true
      }
      pending = (pending.lowerBound + 1)..<pending.upperBound
    }
  }

  /// Whether the bytes begin a member or frame whose start decompresses without an error.
  private func canDecode(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(1 << 14))
    return withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 64) { scratch in
      if let zstd {
        ZSTD_DCtx_reset(zstd, ZSTD_reset_session_only)
        var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        var target = ZSTD_outBuffer(dst: scratch.baseAddress, size: scratch.count, pos: 0)
        let status = ZSTD_decompressStream(zstd, &target, &source)
        return ZSTD_isError(status) == 0 && (target.pos > 0 || status == 0 || bytes.count == 1 << 14)
      }
      // Reserved flags: no writer sets them.
      guard let gzip, bytes.count > 3, bytes[3] & 0xe0 == 0 else { return false }
      gzip.reset()
      let step = gzip.inflate(bytes, into: scratch)
      return step.problem == nil && (step.isAtEnd || step.produced > 0)
    }
  }
}
