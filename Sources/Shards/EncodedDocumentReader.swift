import Support

/// Reads the documents of one split in order.
///
/// Memory: a frame, the largest document that spans frames, and the pages of a few frames of the file.
package final class EncodedDocumentReader {
  private let dataset: Dataset
  private let tokenBytes: Int
  private let entries: [DatasetIndex.Shard]
  private let cache = FrameCache(bytes: 0)
  private var nextShard = 0
  private var shard: ShardReader?
  private var rows: DocumentRowReader?
  /// The position in the shard of the first token of the next document.
  private var position = 0
  /// The first frame of the shard whose pages are still mapped.
  private var mappedFrame = 0
  private var assembly: [UInt8] = []
  private var ids: [UInt32] = []

  package init(_ dataset: Dataset, split: String) throws {
    self.dataset = dataset
    tokenBytes = dataset.index.tokenBytes
    entries = try dataset.shards(of: split)
  }

  /// Calls `body` with the next document in its format on disk, including its end-of-document id. The bytes
  /// are valid only during the call.
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
        self.rows = try DocumentRowReader(directory: dataset.path, entry: entry)
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

  /// Calls `body` with the token ids of each document, without the end-of-document id. They are valid only
  /// during the call.
  package func forEachDocument(
    _ body: (_ tokens: UnsafeBufferPointer<UInt32>, _ row: DocumentRow) throws -> Void
  ) throws {
    while try nextDocument(body) {}
  }

  /// Calls `body` with the token ids of the next document, without the end-of-document id.
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
    // Nearly every document is within one frame and needs no copy.
    let first = shard.file.frame(at: range.lowerBound * tokenBytes)
    if first - mappedFrame >= 256 {
      shard.file.releasePages()
      mappedFrame = first
    }
    if shard.file.plainRange(ofFrame: first).upperBound >= range.upperBound * tokenBytes {
      try cache.read(range, of: shard, body)
    } else {
      assembly.removeAll(keepingCapacity: true)
      try cache.read(range, of: shard) { assembly.append(contentsOf: $0) }
      try assembly.withUnsafeBytes(body)
    }
  }

  private func mismatch(_ rows: DocumentRowReader, _ shard: ShardReader) -> Failure {
    Failure(
      .badInput, "row \(rows.delivered) does not match the end-of-document ids of \(shard.entry.file)",
      file: rows.path,
      remedy: "Run `pkm-data verify`, then copy the dataset again or recreate it")
  }
}
