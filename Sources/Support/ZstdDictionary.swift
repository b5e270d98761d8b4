/// The dictionary of a `.warc.zst` file, in a skippable frame of its own before the frames that need it.
///
/// Source: IIPC, Zstandard compression for WARC files, version 1.0, section 3. The frame holds a dictionary of zstd, as
/// it is or compressed as a frame.
enum ZstdDictionary {
  /// The magic number of the skippable frame.
  static let frameMagic: [UInt8] = [0x5d, 0x2a, 0x4d, 0x18]
  /// The magic number of the skippable frame and the size of its content.
  static let headerBytes = 8
  /// The size that neither the content nor the dictionary exceeds: usual ones have about a megabyte.
  static let sizeLimit = 64 << 20

  private static let magic: [UInt8] = [0x37, 0xa4, 0x30, 0xec]

  /// Whether the content of a skippable frame begins like a dictionary or a compressed one.
  static func isDictionary(_ content: some Collection<UInt8>) -> Bool {
    content.starts(with: magic) || content.starts(with: ZstdInflater.magic)
  }

  /// The dictionary, decompressed; nil if it is damaged or too large.
  static func dictionary(in content: [UInt8], file: String) throws -> [UInt8]? {
    if content.starts(with: magic) { return content }
    let plain = try content.withUnsafeBytes {
      try Decompression.decompress($0, .zstd, sizeLimit: sizeLimit, file: file)
    }
    return plain.end == .complete && plain.bytes.starts(with: magic) ? plain.bytes : nil
  }
}
