import Foundation
import Support

/// Writes a dataset directory, which appears under its name when it is complete.
///
/// Documents are appended to the open shard of their split. A shard is closed when the next document would
/// make it larger than `shardTokens`, so documents are never divided, and a larger document gets its own
/// shard. Memory is a few frames per split. Not thread-safe: one thread appends documents, and `threads`
/// threads compress.
package final class DatasetWriter {
  /// 128 Mi tokens of two bytes, or half as many of four.
  package static let defaultShardBytes = 256 << 20
  /// Entropy coding only. Searching for repetitions takes much time and saves little on prose (see the table
  /// at ``ShardWriter``).
  package static let defaultLevel = 0

  package let vocabularySize: Int
  package let endOfDocument: Int
  package let tokenBytes: Int
  private let output: OutputDirectory
  private let tokenizerSHA256: String
  private let defaultSplit: String
  private let shardTokens: Int
  private let packing: Packing?
  private let recipe: String?
  private let compressor: SeekableWriter.Compressor
  /// The token ids of the current document in their format on disk.
  private let scratch: UnsafeMutableRawBufferPointer
  private var splits: [String: SplitState] = [:]
  /// The state of a document that is appended in parts: the parts that are not written yet, whether earlier
  /// parts were written to the shard, and the number of tokens.
  private var heldParts: [[UInt8]] = []
  private var isStreaming = false
  private var partTokens = 0

  private struct SplitState {
    var open: ShardWriter?
    var closed: [DatasetIndex.Shard] = []
    var totals = DatasetIndex.Totals()
  }

  /// `directory` must not exist, or must be empty.
  ///
  /// `split` is the default split for ``append(_:textBytes:words:to:)``. The dataset lists it even if it has
  /// no document. `level` is the level of ``ZstdCompressor``.
  package init(
    directory: String, tokenizerJSON: [UInt8], vocabularySize: Int, endOfDocument: Int,
    split: String = "train", shardTokens: Int? = nil, packing: Packing? = nil, recipe: String? = nil,
    level: Int = defaultLevel, threads: Int = 1
  ) throws {
    guard (1...Int(Int32.max)).contains(vocabularySize), (0..<vocabularySize).contains(endOfDocument) else {
      throw Failure(
        .badInput, "end-of-document id \(endOfDocument) is not in a vocabulary of \(vocabularySize)",
        file: directory, remedy: "Use a tokenizer with an end-of-text token")
    }
    tokenBytes = DatasetIndex.tokenBytes(vocabularySize: vocabularySize)
    self.vocabularySize = vocabularySize
    self.endOfDocument = endOfDocument
    self.shardTokens = shardTokens ?? Self.defaultShardBytes / tokenBytes
    self.packing = packing
    self.recipe = recipe
    defaultSplit = split
    output = try OutputDirectory(directory)
    tokenizerSHA256 = tokenizerJSON.withUnsafeBytes { Hashing.sha256($0) }
    try output.write(DatasetIndex.tokenizerFileName, tokenizerJSON)
    scratch = .allocate(byteCount: 1 << 16, alignment: 64)
    // Level 0 is so cheap that up to two calling threads can compress themselves; more threads would only
    // compete with them.
    compressor = SeekableWriter.Compressor(threads: level == 0 && threads <= 2 ? 1 : threads, level: level)
    try declare(split: split)
  }

  /// The path of the dataset until it is complete.
  var temporaryPath: String { output.temporary }

  deinit { scratch.deallocate() }

  /// Makes sure that the dataset lists the split even if it has no document.
  package func declare(split: String) throws {
    guard splits[split] == nil else { return }
    guard DatasetIndex.isValidSplitName(split) else {
      throw Failure(
        .usage, "\"\(split)\" is not a valid name for a split", file: output.path,
        remedy: "Use letters, digits, - and _, as in train, valid, test")
    }
    splits[split] = SplitState()
  }

  /// Appends one document, without its end-of-document id.
  ///
  /// `textBytes` and `words` (``Words``) count its original text.
  package func append(
    _ tokens: UnsafeBufferPointer<UInt32>, textBytes: Int, words: Int, to split: String? = nil
  ) throws {
    try append(tokenCount: tokens.count + 1, textBytes: textBytes, words: words, to: split) { shard in
      if tokenBytes == 2 {
        try write(tokens, as: UInt16.self, to: shard)
      } else {
        try write(tokens, as: UInt32.self, to: shard)
      }
    }
  }

  /// Appends one document in its format on disk, including its end-of-document id, from a dataset with the
  /// same vocabulary.
  package func append(encoded bytes: UnsafeRawBufferPointer, textBytes: Int, words: Int, to split: String)
    throws
  {
    try append(tokenCount: bytes.count / tokenBytes, textBytes: textBytes, words: words, to: split) {
      try $0.write(bytes)
    }
  }

  /// Appends consecutive documents in their format on disk, including their end-of-document ids.
  package func append(encoded bytes: UnsafeRawBufferPointer, rows: [DocumentRow], to split: String? = nil)
    throws
  {
    var offset = 0
    try append(rows, to: split) { shard, count in
      try shard.write(UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)]))
      offset += count
    }
  }

  /// Appends the next part of a document of unknown length to the default split.
  ///
  /// If the document starts a shard, its parts are written at once. Otherwise they are held until it is known
  /// whether the document fits into the open shard. ``endDocument(textBytes:words:)`` ends the document; the
  /// last part must end with the end-of-document id.
  package func append(part: [UInt8]) throws {
    partTokens += part.count / tokenBytes
    if !isStreaming {
      heldParts.append(part)
      let taken = splits[defaultSplit]!.open?.totals.tokens ?? 0
      if taken > 0 && taken + partTokens <= shardTokens { return }
      if taken > 0 { try closeShard(of: defaultSplit) }
      isStreaming = true
      try writeHeldParts()
    } else {
      try part.withUnsafeBytes { try splits[defaultSplit]!.open!.write($0) }
    }
  }

  package func endDocument(textBytes: Int, words: Int) throws {
    if !isStreaming { try writeHeldParts() }
    let row = DocumentRow(tokens: partTokens, textBytes: textBytes, words: words)
    (isStreaming, partTokens) = (false, 0)
    try splits[defaultSplit]!.open!.endDocuments([row])
  }

  /// Discards the parts of a document that was not ended.
  package func dropDocument() throws {
    if isStreaming {
      // It is the only document of its shard, whose number is reused.
      try splits[defaultSplit]!.open!.remove()
      splits[defaultSplit]!.open = nil
    }
    (heldParts, isStreaming, partTokens) = ([], false, 0)
  }

  /// Completes the dataset, which then appears under its name. Nothing can be appended afterwards.
  @discardableResult
  package func finish() throws -> DatasetIndex {
    for split in splits.keys.sorted() { try closeShard(of: split) }
    let ordered = splits.sorted { $0.key < $1.key }
    let index = DatasetIndex(
      vocabularySize: vocabularySize, endOfDocument: endOfDocument, tokenizerSHA256: tokenizerSHA256,
      packing: packing, splits: splits.mapValues(\.totals), shards: ordered.flatMap(\.value.closed),
      recipe: recipe)
    try output.write(DatasetIndex.fileName, index.json())
    try output.finish()
    return index
  }

  private func writeHeldParts() throws {
    let shard = try splits[defaultSplit]!.open ?? openShard(of: defaultSplit)
    for part in heldParts { try part.withUnsafeBytes { try shard.write($0) } }
    heldParts = []
  }

  /// `write` writes the next bytes: all documents that go to one shard.
  private func append(
    _ rows: [DocumentRow], to split: String?, write: (ShardWriter, _ bytes: Int) throws -> Void
  ) throws {
    var next = 0
    while next < rows.count {
      let shard = try shard(of: split ?? defaultSplit, for: rows[next].tokens)
      let first = next
      var tokens = 0
      repeat {
        tokens += rows[next].tokens
        next += 1
      } while next < rows.count && shard.totals.tokens + tokens + rows[next].tokens <= shardTokens
      try write(shard, tokens * tokenBytes)
      try shard.endDocuments(rows[first..<next])
    }
  }

  private func append(
    tokenCount: Int, textBytes: Int, words: Int, to split: String?, write: (ShardWriter) throws -> Void
  ) throws {
    let shard = try shard(of: split ?? defaultSplit, for: tokenCount)
    try write(shard)
    try shard.endDocuments([DocumentRow(tokens: tokenCount, textBytes: textBytes, words: words)])
  }

  /// The shard for a document with this number of tokens.
  private func shard(of split: String, for tokenCount: Int) throws -> ShardWriter {
    try declare(split: split)
    if let open = splits[split]!.open, open.totals.tokens + tokenCount > shardTokens {
      try closeShard(of: split)
    }
    return try splits[split]!.open ?? openShard(of: split)
  }

  private func openShard(of split: String) throws -> ShardWriter {
    let shard = try ShardWriter(
      directory: output.temporary, split: split, number: splits[split]!.closed.count, compressor: compressor)
    splits[split]!.open = shard
    return shard
  }

  private func closeShard(of split: String) throws {
    guard let shard = splits[split]!.open else { return }
    splits[split]!.open = nil
    splits[split]!.totals += shard.totals
    splits[split]!.closed.append(try shard.finish())
  }

  private func write<ID: FixedWidthInteger>(
    _ tokens: UnsafeBufferPointer<UInt32>, as type: ID.Type, to shard: ShardWriter
  ) throws {
    let ids = scratch.bindMemory(to: ID.self)
    let limit = UInt32(vocabularySize)
    let end = UInt32(endOfDocument)
    var filled = 0
    for token in tokens {
      if token >= limit || token == end { throw refusal(of: token) }
      if filled == ids.count {
        try shard.write(UnsafeRawBufferPointer(ids))
        filled = 0
      }
      ids[filled] = ID(truncatingIfNeeded: token).littleEndian
      filled += 1
    }
    try shard.write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(ids)[..<(filled * tokenBytes)]))
    try withUnsafeBytes(of: ID(truncatingIfNeeded: end).littleEndian) { try shard.write($0) }
  }

  private func refusal(of token: UInt32) -> Failure {
    let problem =
      token == UInt32(endOfDocument)
      ? "the end-of-document id \(token) occurs inside a document"
      : "token id \(token) is outside the vocabulary of \(vocabularySize)"
    return Failure(
      .badInput, problem, file: output.path,
      remedy: "Encode the text with the tokenizer given for this dataset")
  }
}
