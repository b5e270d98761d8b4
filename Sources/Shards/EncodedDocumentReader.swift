import Foundation
import Support

/// The documents of one split, one after the other.
///
/// Memory: a frame, the largest document that crosses frames, and the pages of some frames of the file.
package final class EncodedDocumentReader {
  private let dataset: Dataset
  private let tokenBytes: Int
  private let entries: [DatasetIndex.Shard]
  private let cache = FrameCache(bytes: 0)
  private var nextShard = 0
  private var shard: ShardReader?
  private var rows: RowReader?
  /// First token of the next document in its shard.
  private var position = 0
  /// The frame of the shard from which the pages of the file are mapped still.
  private var mappedFrame = 0
  private var assembly: [UInt8] = []
  private var ids: [UInt32] = []

  package init(_ dataset: Dataset, split: String) throws {
    self.dataset = dataset
    tokenBytes = dataset.index.tokenBytes
    entries = try dataset.shards(of: split)
  }

  /// Calls `body` with the next document as it lies on disk, its end-of-document id included; the bytes are
  /// valid only there.
  ///
  /// Returns false at the end.
  package func next(_ body: (_ encoded: UnsafeRawBufferPointer, _ row: DocumentRow) throws -> Void) throws
    -> Bool
  {
    while true {
      guard let shard, let rows else {
        if nextShard == entries.count { return false }
        let entry = entries[nextShard]
        self.shard = try ShardReader(directory: dataset.path, entry: entry, index: dataset.index)
        self.rows = try RowReader(directory: dataset.path, entry: entry)
        position = 0
        mappedFrame = 0
        nextShard += 1
        continue
      }
      guard let row = try rows.next() else {
        guard position == shard.entry.tokens else { throw mismatch(rows, shard) }
        self.shard = nil
        self.rows = nil
        continue
      }
      guard row.tokens > 0, position + row.tokens <= shard.entry.tokens else { throw mismatch(rows, shard) }
      let range = position..<(position + row.tokens)
      position = range.upperBound
      try read(range, of: shard) { bytes in
        let end = bytes.suffix(tokenBytes).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard end == dataset.index.endOfDocument else { throw mismatch(rows, shard) }
        try body(bytes, row)
      }
      return true
    }
  }

  /// Calls `body` with each document's token ids, without the end-of-document id; they are valid only there.
  package func forEachDocument(
    _ body: (_ tokens: UnsafeBufferPointer<UInt32>, _ row: DocumentRow) throws -> Void
  ) throws {
    while try nextDocument(body) {}
  }

  /// The same for the next document only.
  ///
  /// Returns false at the end.
  package func nextDocument(
    _ body: (_ tokens: UnsafeBufferPointer<UInt32>, _ row: DocumentRow) throws -> Void
  ) throws -> Bool {
    try next { bytes, row in
      ids.removeAll(keepingCapacity: true)
      if tokenBytes == 2 {
        for id in bytes.bindMemory(to: UInt16.self).dropLast() {
          ids.append(UInt32(UInt16(littleEndian: id)))
        }
      } else {
        for id in bytes.bindMemory(to: UInt32.self).dropLast() { ids.append(UInt32(littleEndian: id)) }
      }
      try ids.withUnsafeBufferPointer { try body($0, row) }
    }
  }

  private func read(
    _ range: Range<Int>, of shard: ShardReader, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    // Nearly every document lies in one frame and needs no copy.
    let first = shard.file.frame(at: range.lowerBound * tokenBytes)
    if first - mappedFrame >= 256 {
      shard.file.releasePages()
      mappedFrame = first
    }
    if shard.file.plainRange(ofFrame: first).upperBound >= range.upperBound * tokenBytes {
      try shard.read(range, through: cache, body)
    } else {
      assembly.removeAll(keepingCapacity: true)
      try shard.read(range, through: cache) { assembly.append(contentsOf: $0) }
      try assembly.withUnsafeBytes(body)
    }
  }

  private func mismatch(_ rows: RowReader, _ shard: ShardReader) -> Failure {
    Failure(
      .badInput, "row \(rows.delivered) does not fit the end-of-document ids of \(shard.entry.file)",
      file: rows.path,
      remedy: "Run `pkm-data verify`, then copy the dataset again or make it again")
  }
}

extension Dataset {
  /// Calls `body` with the row of each document of a split: counts without reading the tokens.
  package func forEachRow(of split: String, _ body: (DocumentRow) throws -> Void) throws {
    for shard in try shards(of: split) {
      let rows = try RowReader(directory: path, entry: shard)
      while let row = try rows.next() { try body(row) }
    }
  }
}

/// The rows of one `.documents.zst` file in order.
final class RowReader {
  let path: String
  /// Rows handed out so far.
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
        "the file holds \(file.bytes) bytes, \(entry.documents) documents need "
          + "\(entry.documents * DocumentRow.byteCount)",
        file: path, remedy: "Copy the dataset again or make it again")
    }
    buffer = .allocate(byteCount: file.largestFrame + DocumentRow.byteCount, alignment: 64)
  }

  deinit { buffer.deallocate() }

  func next() throws -> DocumentRow? {
    while available - offset < DocumentRow.byteCount {
      guard frame < file.frameCount else { return nil }
      // Frames end between rows in our files; those of another writer may not.
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
