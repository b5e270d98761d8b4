import Foundation
import Support

extension Dataset {
  /// Calls `body` with the row of each document of a split. Counting with rows does not read the tokens.
  package func forEachRow(of split: String, _ body: (DocumentRow) throws -> Void) throws {
    for shard in try shards(of: split) {
      let rows = try DocumentRowReader(directory: path, entry: shard)
      while let row = try rows.next() { try body(row) }
    }
  }
}

/// Reads the rows of one `.documents.zst` file in order.
final class DocumentRowReader {
  let path: String
  /// The number of rows returned so far.
  private(set) var delivered = 0
  private let file: SeekableReader
  private let buffer: UnsafeMutableRawBufferPointer
  private var available = 0
  private var offset = 0
  private var frame = 0

  init(directory: String, entry: DatasetIndex.Shard) throws {
    path = Path.join(directory, entry.documentsFile)
    file = try SeekableReader(path)
    guard file.bytes == entry.documents * DocumentRow.byteCount else {
      throw Failure(
        .badInput,
        "the file contains \(file.bytes) bytes, but \(entry.documents) documents need "
          + "\(entry.documents * DocumentRow.byteCount)",
        file: path, remedy: "Copy the dataset again or recreate it")
    }
    buffer = .allocate(byteCount: file.largestFrame + DocumentRow.byteCount, alignment: 64)
  }

  deinit { buffer.deallocate() }

  func next() throws -> DocumentRow? {
    while available - offset < DocumentRow.byteCount {
      guard frame < file.frameCount else { return nil }
      // Our own files do not divide rows between frames, but those of other writers may.
      let rest = available - offset
      if rest > 0 { memmove(buffer.baseAddress!, buffer.baseAddress! + offset, rest) }
      let target = UnsafeMutableRawBufferPointer(rebasing: buffer[rest...])
      available = rest + (try file.decompress(frame: frame, into: target))
      offset = 0
      frame += 1
    }
    defer {
      offset += DocumentRow.byteCount
      delivered += 1
    }
    return DocumentRow(UnsafeRawBufferPointer(buffer), at: offset)
  }
}
