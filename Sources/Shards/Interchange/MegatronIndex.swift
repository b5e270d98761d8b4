import Support

/// Megatron's `.idx` file.
///
/// It contains a magic number of 9 bytes, `u64` version 1, `u8` element type, `u64` number of sequences S,
/// `u64` number of entries D of the document table (documents + 1); then S lengths in tokens (`i32`), S byte
/// offsets in the `.bin` file (`i64`), and the index of the first sequence of each document (D `i64`, from 0
/// to S).
struct MegatronIndex {
  static let magic = Array("MMIDIDX\0\0".utf8)
  private static let headerBytes = 34

  let element: TokenElement
  private let file: MappedFile
  private let path: String
  private let sequences: Int
  /// The number of documents in the file.
  let documents: Int

  static func header(element: TokenElement, sequences: Int, documents: Int) -> [UInt8] {
    var bytes = magic
    bytes.append(littleEndian: UInt64(1))
    bytes.append(UInt8(codes.firstIndex(of: element)! + 1))
    bytes.append(littleEndian: UInt64(sequences))
    bytes.append(littleEndian: UInt64(documents))
    return bytes
  }

  /// The element types by code, from 1; codes 6 and 7 are floating-point types.
  private static let codes: [TokenElement?] = [.u8, .i8, .i16, .i32, .i64, nil, nil, .u16]

  init(_ path: String) throws {
    self.path = path
    file = try MappedFile(path)
    let bytes = file.bytes
    func damaged(_ message: String, at offset: Int) -> Failure {
      Failure(.badInput, message, file: path, offset: offset, remedy: "Copy the file again or recreate it")
    }
    guard bytes.count >= Self.headerBytes, bytes.starts(with: Self.magic) else {
      throw damaged("not an index of Megatron-LM: it does not begin with MMIDIDX", at: 0)
    }
    func long(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    guard long(9) == 1 else { throw damaged("version \(long(9)) of the format is not known", at: 9) }
    let code = Int(bytes[17])
    guard (1...Self.codes.count).contains(code), let element = Self.codes[code - 1] else {
      throw damaged("element type \(code) is not an integer type", at: 17)
    }
    self.element = element
    let (sequences, entries) = (long(18), long(26))
    guard sequences < 1 << 40, entries > 0, entries < 1 << 40 else {
      throw damaged("\(sequences) sequences and \(entries) document entries are impossible", at: 18)
    }
    (self.sequences, documents) = (Int(sequences), Int(entries) - 1)
    // In multimodal files a table of modes may follow.
    let needed = Self.headerBytes + 12 * Int(sequences) + 8 * Int(entries)
    guard bytes.count >= needed else {
      throw damaged(
        "the file is truncated: \(needed) bytes are needed, it has \(bytes.count)", at: bytes.count)
    }
    guard boundary(0) == 0, boundary(documents) == self.sequences else {
      throw damaged(
        "the document table does not reach from the first sequence to the last",
        at: Self.headerBytes + 12 * self.sequences)
    }
  }

  /// The byte ranges of a document in the `.bin` file, one per sequence.
  func sequences(ofDocument document: Int, binBytes: Int) throws -> [Range<Int>] {
    let (first, end) = (boundary(document), boundary(document + 1))
    guard 0 <= first, first <= end, end <= sequences else {
      throw Failure(.badInput, "the document table is not ascending at entry \(document)", file: path)
    }
    return try (first..<end).map { sequence in
      let length = Int(word(Self.headerBytes + 4 * sequence, Int32.self))
      let offset = Int(word(Self.headerBytes + 4 * sequences + 8 * sequence, Int64.self))
      let bytes = length.multipliedReportingOverflow(by: element.byteCount)
      guard length >= 0, offset >= 0, !bytes.overflow, offset <= binBytes,
        bytes.partialValue <= binBytes - offset
      else {
        throw Failure(
          .badInput, "sequence \(sequence), \(length) tokens at byte \(offset), is outside the .bin file",
          file: path, remedy: "The two files do not belong together, or one is truncated")
      }
      return offset..<(offset + bytes.partialValue)
    }
  }

  private func boundary(_ document: Int) -> Int {
    Int(word(Self.headerBytes + 12 * sequences + 8 * document, Int64.self))
  }

  private func word<Word: FixedWidthInteger>(_ offset: Int, _: Word.Type) -> Word {
    Word(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: Word.self))
  }
}
