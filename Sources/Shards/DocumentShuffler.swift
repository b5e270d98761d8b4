import Foundation
import Support

/// Shuffles documents with bounded memory: each gets a random key and goes to the bucket of its range of
/// keys, and the buckets are sorted by key one after the other (two-level shuffle).
///
/// The order depends only on the keys, not on the number of buckets and thus not on the memory. If everything
/// fits in half of the memory, it stays there in one bucket. Otherwise buckets of at most a quarter of a
/// gigabyte go to files of a temporary directory.
final class DocumentShuffler {
  struct Header {
    let key: UInt64
    let split: Int
    let row: DocumentRow
    let tokenBytes: Int

    static let byteCount = 32
  }

  private static let bucketBytes = 256 << 20

  private let directory: String
  private let buckets: [Bucket]
  /// A bucket's buffer is written to disk when it exceeds this size.
  private let spillBytes: Int
  private var ordinal: UInt64 = 0
  private let seed: UInt64
  private var hasDirectory = false

  /// `totalBytes` is the size of the encoded documents and their headers. `directory` is created if it is
  /// needed.
  init(totalBytes: Int, memory: Int, seed: UInt64, directory: String) {
    let isInMemory = totalBytes <= memory / 2
    // The sizes of buckets vary by chance, so leave some margin.
    let bucketBytes = min(Self.bucketBytes, max(memory * 2 / 5, 1))
    let count = isInMemory ? 1 : min(512, 1 + totalBytes / bucketBytes)
    spillBytes = isInMemory ? .max : min(1 << 20, max(1 << 12, memory / (2 * count)))
    buckets = (0..<count).map { Bucket(path: Path.join(directory, "bucket-\($0)")) }
    // Reserve the memory now: growing the array would copy everything and hold both copies for a moment.
    if isInMemory { buckets[0].reserve(totalBytes) }
    self.directory = directory
    self.seed = RandomGenerator.mix(seed)
  }

  deinit { removeDirectory() }

  func add(_ encoded: UnsafeRawBufferPointer, row: DocumentRow, split: Int) throws {
    let key = RandomGenerator.mix(seed &+ ordinal &* Hashing.goldenRatio)
    ordinal += 1
    let bucket = buckets[Int(key.multipliedFullWidth(by: UInt64(buckets.count)).high)]
    bucket.append(Header(key: key, split: split, row: row, tokenBytes: encoded.count), encoded)
    if bucket.buffered > spillBytes {
      if !hasDirectory {
        try SystemCall.makeDirectories(directory)
        hasDirectory = true
      }
      try bucket.spill()
    }
  }

  /// Calls `body` with every document in the order of the keys.
  ///
  /// Call this once. Afterwards the files are removed.
  func drain(_ body: (_ encoded: UnsafeRawBufferPointer, _ row: DocumentRow, _ split: Int) throws -> Void)
    throws
  {
    for bucket in buckets {
      try Interruption.check()
      try bucket.drain(body)
    }
    removeDirectory()
  }

  private func removeDirectory() {
    if hasDirectory { try? FileManager.default.removeItem(atPath: directory) }
    hasDirectory = false
  }

  /// The documents of one range of keys, each as a header and its encoded tokens.
  private final class Bucket {
    private let path: String
    private var buffer: [UInt8] = []
    private var descriptor: Int32?

    init(path: String) { self.path = path }

    deinit {
      if let descriptor {
        close(descriptor)
        unlink(path)
      }
    }

    var buffered: Int { buffer.count }

    func reserve(_ bytes: Int) { buffer.reserveCapacity(bytes) }

    func append(_ header: Header, _ encoded: UnsafeRawBufferPointer) {
      let words: (UInt64, UInt32, UInt32, UInt32, UInt32, UInt64) = (
        header.key, UInt32(header.split), UInt32(header.row.tokens), UInt32(header.row.textBytes),
        UInt32(header.row.words), UInt64(header.tokenBytes)
      )
      withUnsafeBytes(of: words) { buffer.append(contentsOf: $0) }
      buffer.append(contentsOf: encoded)
    }

    func spill() throws {
      let file = try descriptor ?? SystemCall.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
      descriptor = file
      try buffer.withUnsafeBytes { try SystemCall.write(file, $0, path: path) }
      buffer.removeAll(keepingCapacity: true)
    }

    func drain(_ body: (UnsafeRawBufferPointer, DocumentRow, Int) throws -> Void) throws {
      guard descriptor != nil else {
        defer { buffer = [] }
        return try buffer.withUnsafeBytes { try Self.sorted($0, body) }
      }
      try spill()
      buffer = []
      let bytes = try MappedFile.read(path)
      try bytes.withUnsafeBytes { try Self.sorted($0, body) }
      close(descriptor!)
      unlink(path)
      descriptor = nil
    }

    private static func sorted(
      _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, DocumentRow, Int) throws -> Void
    ) throws {
      var documents: [(key: UInt64, offset: Int)] = []
      var offset = 0
      while offset < bytes.count {
        documents.append((bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self), offset))
        let size = bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self)
        offset += Header.byteCount + Int(size)
      }
      // The offset breaks ties between keys: a bucket holds documents in the order in which they were added.
      documents.sort { ($0.key, $0.offset) < ($1.key, $1.offset) }
      for (_, offset) in documents {
        func word(_ at: Int) -> Int { Int(bytes.loadUnaligned(fromByteOffset: offset + at, as: UInt32.self)) }
        let size = Int(bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
        let start = offset + Header.byteCount
        try body(
          UnsafeRawBufferPointer(rebasing: bytes[start..<(start + size)]),
          DocumentRow(tokens: word(12), textBytes: word(16), words: word(20)), word(8))
      }
    }
  }
}
