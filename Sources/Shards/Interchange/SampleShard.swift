import Support

/// A shard of samples in the making, held in memory: its header needs the sizes of all samples.
struct SampleShard {
  let format: SampleFormat
  /// Bytes of an id in a document: 2 or 4.
  let tokenBytes: Int
  /// The number of samples in the shards before this one.
  let firstSample: Int
  private(set) var tokens = 0
  private var samples: [UInt8] = []
  /// The end of each sample in `samples`.
  private var ends: [Int] = []

  init(_ format: SampleFormat, tokenBytes: Int, firstSample: Int) {
    (self.format, self.tokenBytes, self.firstSample) = (format, tokenBytes, firstSample)
  }

  var count: Int { ends.count }

  /// Offsets in MDS and LitData have 32 bits.
  static let mostBytes = 1 << 31

  /// The largest size of a sample of so many tokens.
  func mostBytes(ofSample tokens: Int) -> Int { 4 * tokens + 2048 }

  /// Whether a sample of so many tokens still fits into the file.
  func fits(_ tokens: Int) -> Bool {
    samples.count + mostBytes(ofSample: tokens) + 4 * (count + 2) <= Self.mostBytes
  }

  /// Adds a document of at least one id.
  mutating func add(_ document: UnsafeRawBufferPointer) {
    let count = document.count / tokenBytes
    tokens += count
    switch format {
    case .mds: addMDS(document, count)
    case .litdata: addInt32(document, count)
    case .webdataset: addMember(document, count)
    }
    ends.append(samples.count)
  }

  /// A sample of a single column of varying size: its size, then the array. An array begins with a byte, the number of its
  /// dimensions times 4 plus the logarithm of the bytes of a length, and its lengths.
  private mutating func addMDS(_ document: UnsafeRawBufferPointer, _ count: Int) {
    let bytesOfLength = count < 1 << 8 ? 1 : count < 1 << 16 ? 2 : 4
    samples.append(littleEndian: UInt32(1 + bytesOfLength + document.count))
    samples.append(UInt8(4 | bytesOfLength.trailingZeroBitCount))
    for index in 0..<bytesOfLength { samples.append(UInt8(truncatingIfNeeded: count >> (8 * index))) }
    samples.append(contentsOf: document)
  }

  private mutating func addInt32(_ document: UnsafeRawBufferPointer, _ count: Int) {
    if tokenBytes == 4 { return samples.append(contentsOf: document) }
    for index in 0..<count {
      let id = document.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
      samples.append(littleEndian: UInt32(UInt16(littleEndian: id)))
    }
  }

  private mutating func addMember(_ document: UnsafeRawBufferPointer, _ count: Int) {
    let header = NumPyHeader.bytes(element: tokenBytes == 2 ? .u16 : .u32, count: count)
    let key = String(1_000_000_000 + firstSample + self.count).dropFirst()
    samples += TarHeader.bytes(name: key + ".npy", size: header.count + document.count)
    samples += header
    samples.append(contentsOf: document)
    samples += repeatElement(0, count: -(header.count + document.count) & (TarHeader.byteCount - 1))
  }

  /// The bytes of the file.
  func file() -> [UInt8] {
    var header: [UInt8] = []
    func offsets(after more: Int) {
      header.append(littleEndian: UInt32(count))
      let start = 4 * (count + 2) + more
      header.append(littleEndian: UInt32(start))
      for end in ends { header.append(littleEndian: UInt32(start + end)) }
    }
    switch format {
    case .mds:
      let columns = Array(MDSColumns.json(tokenBytes: tokenBytes).utf8)
      offsets(after: columns.count)
      header += columns
    case .litdata: offsets(after: 0)
    case .webdataset: return samples + [UInt8](repeating: 0, count: 2 * TarHeader.byteCount)
    }
    return header + samples
  }
}

/// What shards of MosaicML Streaming say of their columns.
enum MDSColumns {
  /// The object that stands in the shard, and but for its braces in the index.
  static func json(tokenBytes: Int) -> String {
    "{\(members(tokenBytes: tokenBytes))}"
  }

  static func members(tokenBytes: Int) -> String {
    """
    "column_encodings": ["ndarray:uint\(8 * tokenBytes)"], "column_names": ["tokens"], "column_sizes": [null], \
    "compression": null, "format": "mds", "hashes": [], "size_limit": null, "version": 2
    """
  }
}

/// The header of a member of a tar archive (POSIX.1-1988, ustar).
enum TarHeader {
  static let byteCount = 512

  /// `name` has at most 99 bytes, and `size` is below 8 GiB.
  static func bytes(name: String, size: Int) -> [UInt8] {
    func octal(_ value: Int, _ digits: Int) -> [UInt8] {
      let text = String(value, radix: 8)
      return Array((String(repeating: "0", count: digits - text.utf8.count) + text).utf8) + [0]
    }
    var bytes = [UInt8](repeating: 0, count: byteCount)
    func put(_ part: [UInt8], at offset: Int) {
      bytes.replaceSubrange(offset..<(offset + part.count), with: part)
    }
    put(Array(name.utf8), at: 0)
    put(octal(0o644, 7), at: 100)
    put(octal(0, 7), at: 108)
    put(octal(0, 7), at: 116)
    put(octal(size, 11), at: 124)
    put(octal(0, 11), at: 136)
    put(Array("        ".utf8), at: 148)
    put(Array("0".utf8), at: 156)
    put(Array("ustar".utf8) + [0] + Array("00".utf8), at: 257)
    // The sum of all bytes, that of itself counted as spaces.
    put(octal(bytes.reduce(0) { $0 + Int($1) }, 6) + Array(" ".utf8), at: 148)
    return bytes
  }
}
