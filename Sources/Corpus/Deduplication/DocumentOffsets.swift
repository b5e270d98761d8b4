import Algorithms
import Support

/// The start of each document in a compared text, for reports: 16 bytes per document on disk.
struct DocumentOffsets {
  private let file: MappedFile

  static let recordBytes = 16

  /// `progress` says what the file must hold.
  init(_ path: String, _ progress: SpanProgress) throws {
    file = try MappedFile.checked(path, bytes: progress.placesBytes, checksum: progress.placesChecksum)
  }

  /// The records of a batch whose documents end at `ends`.
  static func records(of batch: DocumentBatch, ends: [Int], base: Int) -> [UInt8] {
    var records: [UInt8] = []
    records.reserveCapacity(16 * batch.count)
    var start = base
    for (index, end) in ends.enumerated() {
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
      withUnsafeBytes(of: (UInt64(start).littleEndian, location.packed.littleEndian)) {
        records.append(contentsOf: $0)
      }
      start = base + end
    }
    return records
  }

  /// The document that contains a position of the compared text; there is at least one document.
  func document(at position: Int) -> DocumentLocation {
    func word(_ number: Int) -> UInt64 {
      UInt64(littleEndian: file.bytes.loadUnaligned(fromByteOffset: 8 * number, as: UInt64.self))
    }
    let next = (0..<(file.bytes.count / Self.recordBytes)).partitioningIndex {
      word(2 * $0) > UInt64(position)
    }
    return DocumentLocation(packed: word(2 * max(next - 1, 0) + 1))
  }
}
