import Support

/// A table with one row of fixed length per document, followed by the XXH64 of all rows.
final class SignatureTable: Sendable {
  let firstDocument: Int
  let count: Int
  /// The XXH64 of all rows.
  let checksum: UInt64
  private let rowBytes: Int
  private let file: MappedFile

  static func path(_ number: Int, in directory: String) -> String {
    RecordSorter.path(number, name: "documents", in: directory)
  }

  /// The XXH64 that a finished table states.
  static func checksum(_ path: String) throws -> UInt64 {
    let file = try MappedFile(path, access: .random)
    guard file.bytes.count >= 8 else {
      throw Failure(.badInput, "is damaged", file: path, remedy: "Remove the directory and run again")
    }
    return UInt64(
      littleEndian: file.bytes.loadUnaligned(fromByteOffset: file.bytes.count - 8, as: UInt64.self))
  }

  init(_ path: String, rowBytes: Int, firstDocument: Int) throws {
    file = try MappedFile(path)
    self.rowBytes = rowBytes
    self.firstDocument = firstDocument
    let bytes = file.bytes.count - 8
    let hash = StreamingXXH64()
    for start in stride(from: 0, to: bytes, by: 16 << 20) {
      hash.update(UnsafeRawBufferPointer(rebasing: file.bytes[start..<min(bytes, start + 16 << 20)]))
      file.releasePages()
    }
    guard bytes >= 0, bytes % rowBytes == 0, try hash.digest == Self.checksum(path) else {
      throw Failure(.badInput, "is damaged", file: path, remedy: "Remove the directory and run again")
    }
    count = bytes / rowBytes
    checksum = hash.digest
  }

  /// Calls `body` with each row. The memory of the rows is released every few megabytes.
  func forEachRow(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
    for index in 0..<count {
      if index & 0x7fff == 0 {
        try Interruption.check()
        file.releasePages()
      }
      let start = index * rowBytes
      try body(
        firstDocument + index, UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + rowBytes)]))
    }
    file.releasePages()
  }

  final class Writer {
    private let file: OutputFile
    private let hash = StreamingXXH64()

    init(_ path: String) throws { file = try OutputFile(path) }

    func append(_ rows: [UInt8]) throws {
      rows.withUnsafeBytes { hash.update($0) }
      try file.write(rows)
    }

    func finish() throws {
      try withUnsafeBytes(of: hash.digest.littleEndian) { try file.write($0) }
      try file.finish()
    }
  }
}
