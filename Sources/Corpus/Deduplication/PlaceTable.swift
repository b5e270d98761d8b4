import Support

/// Where each document of a compared text begins, for reports: 16 bytes a document on disk.
struct PlaceTable {
  private let file: MappedFile

  init(_ path: String) throws { file = try MappedFile(path, access: .random) }

  /// The records of a batch whose documents end at `ends`.
  static func records(of batch: DocumentBatch, ends: [Int], base: Int) -> [UInt8] {
    var records: [UInt8] = []
    records.reserveCapacity(16 * batch.count)
    var start = base
    for (index, end) in ends.enumerated() {
      let place = DocumentLocation(source: batch.source.index, line: batch.lines[index])
      withUnsafeBytes(of: (UInt64(start).littleEndian, place.packed.littleEndian)) {
        records.append(contentsOf: $0)
      }
      start = base + end
    }
    return records
  }

  /// The document that holds a position of the compared text.
  func document(at position: Int) -> DocumentLocation {
    func word(_ number: Int) -> UInt64 {
      UInt64(littleEndian: file.bytes.loadUnaligned(fromByteOffset: 8 * number, as: UInt64.self))
    }
    var (low, high) = (0, file.bytes.count / 16)
    while high - low > 1 {
      let middle = (low + high) / 2
      if word(2 * middle) <= UInt64(position) { low = middle } else { high = middle }
    }
    return DocumentLocation(packed: word(2 * low + 1))
  }
}
