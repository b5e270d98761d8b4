import Foundation

/// A stream of bytes from a file, standard input (`-`) or an ``InnerPipe``. Content that is gzip (any number
/// of members) or zstd (any number of frames) is decompressed.
///
/// Truncated or corrupt compressed input does not throw: the stream delivers the bytes before the damage (all of them if
/// only a checksum is wrong) and ends, and ``damage`` says what was lost. The caller decides whether that is an error,
/// and may ``resume()`` after it. Running out of memory throws.
package final class InputFile {
  package let path: String
  package internal(set) var damage: Damage?
  /// The bytes read from the file on disk so far, for progress against ``size``.
  package internal(set) var offset = 0
  /// The size of the file on disk in bytes; nil for a pipe.
  package let size: Int?

  enum Coding { case plain, gzip, zstd }

  private let pipe: InnerPipe?
  let descriptor: Int32
  private let ownsDescriptor: Bool
  private let statusAtOpening: stat
  private(set) var coding = Coding.plain
  let input: UnsafeMutableRawBufferPointer
  /// The undecoded part of `input`.
  var pending = 0..<0
  var reachedEnd = false
  private(set) var gzip: GzipInflater?
  private(set) var zstd: ZstdInflater?
  /// Inside a gzip member or zstd frame: an end of file here is a truncation.
  package internal(set) var isInsideUnit = false
  /// The offset at which that member or frame began.
  private(set) var unitStart = 0

  /// The offset in the file of the next byte to be decompressed.
  package var unitOffset: Int { offset - pending.count }

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
    if coding == .plain && reachedEnd && (!pending.isEmpty || size == 0) {
      coding = Self.coding(ofStub: input[pending], named: path)
    }
    switch coding {
    case .plain: break
    case .gzip: gzip = GzipInflater()
    case .zstd: zstd = try ZstdInflater(file: path)
    }
  }

  deinit {
    if ownsDescriptor { close(descriptor) }
    input.deallocate()
  }

  private static func coding(of bytes: Slice<UnsafeMutableRawBufferPointer>) -> Coding {
    if bytes.starts(with: GzipInflater.magic) { return .gzip }
    return ZstdInflater.isFrame(bytes) ? .zstd : .plain
  }

  /// The coding of a file that ends before or within the magic number of the compression that its name states: a download
  /// that was cut.
  private static func coding(ofStub bytes: Slice<UnsafeMutableRawBufferPointer>, named path: String) -> Coding
  {
    switch OutputName.coding(of: path) {
    case .gzip where GzipInflater.magic.starts(with: bytes): .gzip
    case .zstd where ZstdInflater.isBeginningOfFrame(bytes): .zstd
    default: .plain
    }
  }

  /// Reads until `pending` holds `count` bytes or the file ends.
  func fill(atLeast count: Int) throws {
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
    if let pipe { return try pipe.read(into: buffer) }
    if size == nil { try SystemCall.waitForInput(descriptor) }
    return try SystemCall.read(descriptor, into: buffer, path: path)
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

  /// Whether the content is not compressed.
  package var isPlain: Bool { coding == .plain }

  /// Reads at an offset of a regular file, and returns how many bytes there were. The stream stays where it is.
  package func read(at position: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try SystemCall.read(descriptor, at: position, into: buffer, path: path)
    // For progress: pages are read about once.
    offset = min(max(offset, size ?? 0), offset + count)
    return count
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
        if pending.isEmpty && offset > 0 { return 0 }
        if pending.isEmpty { return stopAtStub(.gzipMember, "the file is empty, and a gzip file never is") }
        if reachedEnd && pending.count < 2 && input[pending.lowerBound] == GzipInflater.magic[0] {
          return stopAtStub(.gzipMember, "the gzip member is truncated")
        }
        guard input[pending].starts(with: GzipInflater.magic) else {
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
      if !isInsideUnit {
        if pending.isEmpty && offset > 0 { return 0 }
        if pending.isEmpty { return stopAtStub(.zstdFrame, "the file is empty, and a zstd file never is") }
        if reachedEnd && pending.count < 4 && ZstdInflater.isBeginningOfFrame(input[pending]) {
          return stopAtStub(.zstdFrame, "the zstd frame is truncated")
        }
        guard ZstdInflater.isFrame(input[pending]) else {
          return stop(.foreignBytes, "bytes that are not zstd follow the last frame, ignored")
        }
        beginUnit()
        if input[pending].starts(with: ZstdDictionary.frameMagic) {
          if try readDictionary() { continue }
          return 0
        }
      }
      let step = try zstd!.inflate(UnsafeRawBufferPointer(rebasing: input[pending]), into: buffer)
      pending = (pending.lowerBound + step.consumed)..<pending.upperBound
      if let problem = step.problem {
        _ = stop(.zstdFrame, "the zstd frame is corrupt (\(problem))")
        return step.produced
      } else if step.isAtEnd {
        isInsideUnit = false
      } else if step.produced == 0 && pending.isEmpty && reachedEnd {
        return stop(.zstdFrame, "the zstd frame is truncated")
      }
      if step.produced > 0 { return step.produced }
    }
  }

  /// Reads a skippable frame and uses the dictionary in it, if it holds one. Returns false if it is damaged.
  private func readDictionary() throws -> Bool {
    try fill(atLeast: ZstdDictionary.headerBytes + 4)
    let header = UnsafeRawBufferPointer(rebasing: input[pending])
    if header.count < ZstdDictionary.headerBytes {
      return stop(.zstdFrame, "the zstd frame is truncated") > 0
    }
    let size = Int(UInt32(littleEndian: header.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    let isDictionary = ZstdDictionary.isDictionary(header.dropFirst(ZstdDictionary.headerBytes))
    pending = (pending.lowerBound + ZstdDictionary.headerBytes)..<pending.upperBound
    let keeps = isDictionary && size <= ZstdDictionary.sizeLimit
    var content: [UInt8] = []
    var left = size
    while left > 0 {
      try fill(atLeast: 1)
      if pending.isEmpty { return stop(.zstdFrame, "the zstd frame is truncated") > 0 }
      let part = input[pending].prefix(left)
      if keeps { content.append(contentsOf: part) }
      left -= part.count
      pending = (pending.lowerBound + part.count)..<pending.upperBound
    }
    isInsideUnit = false
    if !isDictionary { return true }
    guard keeps, let dictionary = try ZstdDictionary.dictionary(in: content, file: path) else {
      return stop(.zstdFrame, "the dictionary of the zstd frames is corrupt") > 0
    }
    if let problem = try zstd!.load(dictionary: dictionary) {
      return stop(.zstdFrame, "the dictionary of the zstd frames is corrupt (\(problem))") > 0
    }
    return true
  }

  private func beginUnit() {
    unitStart = offset - pending.count
    isInsideUnit = true
    gzip?.reset()
    zstd?.reset()
  }

  /// The file ends within the magic number of a member or frame.
  private func stopAtStub(_ kind: Damage.Kind, _ reason: String) -> Int {
    defer { pending = 0..<0 }
    return stop(kind, reason)
  }

  private func stop(_ kind: Damage.Kind, _ reason: String) -> Int {
    damage = Damage(kind: kind, file: path, offset: offset - pending.count, reason: reason)
    return 0
  }
}
