import Support

/// A dataset directory opened for reading. Its index is valid and its files exist; their content is checked
/// when it is read.
package struct Dataset: Sendable {
  package let path: String
  package let index: DatasetIndex

  package init(_ path: String) throws {
    self.path = path
    index = try DatasetIndex(directory: path)
  }

  /// The names of the splits, sorted.
  package var splits: [String] { index.splits.keys.sorted() }

  package func totals(of split: String) throws -> DatasetIndex.Totals {
    guard let totals = index.splits[split] else {
      throw Failure(
        .usage, "the dataset has no split \"\(split)\"", file: path,
        remedy: "It has: " + (splits.isEmpty ? "none" : splits.joined(separator: ", ")))
    }
    return totals
  }

  /// The number of tokens of a split, end-of-document ids included.
  package func tokenCount(of split: String) throws -> Int { try totals(of: split).tokens }

  /// The shards of a split in order.
  package func shards(of split: String) throws -> [DatasetIndex.Shard] {
    _ = try totals(of: split)
    return index.shards.filter { $0.split == split }
  }

  package var tokenizerPath: String { Path.join(path, index.tokenizer.file) }

  /// The bytes of the tokenizer file. Throws unless it is exactly the one that encoded the dataset.
  package func tokenizerJSON() throws -> [UInt8] {
    let bytes = try MappedFile.read(tokenizerPath)
    let sha256 = bytes.withUnsafeBytes { Hashing.sha256($0) }
    guard sha256 == index.tokenizer.sha256 else {
      throw Failure(
        .badInput,
        "not the tokenizer that encoded the dataset: its SHA-256 is \(sha256), index.json says "
          + index.tokenizer.sha256,
        file: tokenizerPath, remedy: "Restore tokenizer.json or recreate the dataset")
    }
    return bytes
  }
}
