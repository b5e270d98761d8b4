import Support

extension DatasetIndex {
  /// Reads `index.json` of a dataset directory.
  init(reading directory: String) throws {
    let path = Path.join(directory, Self.fileName)
    guard Path.exists(path) else {
      throw Failure(
        .inputOutput,
        Path.isDirectory(directory) ? "not a dataset: it has no index.json" : "no such dataset directory",
        file: directory, remedy: "Give the directory that `pkm-data encode` or `pkm-data shard` wrote")
    }
    let data = try MappedFile.read(path)
    /// Read first, so that a newer version is reported as such and not as a missing key.
    struct Header: Decodable {
      let format: String
      let version: Int
    }
    let header = try Self.decode(Header.self, data, path)
    guard header.format == Self.formatName else {
      throw Failure(.badInput, "the format is \"\(header.format)\", not \"\(Self.formatName)\"", file: path)
    }
    guard header.version == Self.currentVersion else {
      throw Failure(
        .badInput,
        "the dataset has format version \(header.version), this program reads \(Self.currentVersion)",
        file: path, remedy: "Update pkm, or recreate the dataset with this version")
    }
    self = try Self.decode(DatasetIndex.self, data, path)
  }

  /// Reads and validates `index.json`: it must be consistent, and the files that it names must exist (they
  /// are not read).
  package init(directory: String) throws {
    try self.init(reading: directory)
    let path = Path.join(directory, Self.fileName)
    if let problem = contradictions().first {
      throw Failure(
        .badInput, problem, file: path, remedy: "Recreate the dataset, or restore its index.json")
    }
    if let file = missingFiles(in: directory).first {
      throw Failure(
        .badInput, "the dataset's file \(file) is missing", file: Path.join(directory, file),
        remedy: "Copy the whole directory again or recreate the dataset")
    }
  }

  /// What a count of an index may be, so that sums and products of counts cannot overflow.
  static let counts = 0...1 << 42

  private static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ path: String) throws
    -> Value
  {
    try JSONDecoding.decode(
      type, from: bytes, file: path, counts: counts, remedy: "Recreate the dataset, or restore its index.json"
    )
  }

  /// All inconsistencies of the index, as sentences.
  package func contradictions() -> [String] {
    var problems: [String] = []
    if !(1...Int(Int32.max)).contains(vocabularySize) {
      problems.append("vocabulary_size is \(vocabularySize), which is not 1 to \(Int32.max)")
    }
    if tokenBytes != Self.tokenBytes(vocabularySize: vocabularySize) {
      problems.append("token_bytes is \(tokenBytes), which does not fit vocabulary_size \(vocabularySize)")
    }
    if !(0..<max(vocabularySize, 1)).contains(endOfDocument) {
      problems.append("end_of_document \(endOfDocument) is outside the vocabulary of \(vocabularySize)")
    }
    if tokenizer.file != Self.tokenizerFileName {
      problems.append("the tokenizer file is not tokenizer.json")
    }
    var totals: [String: Totals] = [:]
    var files: Set<String> = []
    for shard in shards {
      for file in [shard.file, shard.documentsFile] {
        if file.isEmpty || file.contains("/") || file.hasPrefix(".") {
          problems.append("\"\(file)\" is not a file name")
        }
        if !files.insert(file).inserted { problems.append("the file \(file) is listed twice") }
      }
      if splits[shard.split] == nil {
        problems.append("\(shard.file) belongs to split \"\(shard.split)\", which is not in splits")
      }
      if let (key, count) = shard.counts.first(where: { !Self.counts.contains($0.value) }) {
        problems.append(
          "\(shard.file) has \(key) \(count), which is not \(Self.counts.lowerBound) to \(Self.counts.upperBound)"
        )
        continue
      }
      let (bytes, overflows) = shard.tokens.multipliedReportingOverflow(by: tokenBytes)
      if overflows || shard.bytes != bytes {
        problems.append(
          "\(shard.file) lists \(shard.bytes) bytes for \(shard.tokens) tokens of \(tokenBytes) bytes")
      }
      if shard.documents > shard.tokens {
        problems.append(
          "\(shard.file) lists more documents (\(shard.documents)) than tokens (\(shard.tokens))")
      }
      totals[shard.split, default: Totals()] += shard.totals
    }
    for (split, listed) in splits.sorted(by: { $0.key < $1.key }) {
      if !Self.isValidSplitName(split) { problems.append("\"\(split)\" is not a valid name for a split") }
      let sum = totals[split] ?? Totals()
      if sum != listed {
        problems.append(
          "the shards of split \"\(split)\" add up to \(sum.tokens) tokens, \(sum.documents) documents, "
            + "\(sum.textBytes) text bytes and \(sum.words) words; the index says \(listed.tokens), "
            + "\(listed.documents), \(listed.textBytes) and \(listed.words)")
      }
    }
    return problems
  }

  /// The names of files that are missing from the directory.
  package func missingFiles(in directory: String) -> [String] {
    fileNames.filter { !Path.exists(Path.join(directory, $0)) }
  }

  /// The names of all files of the dataset, including `index.json`.
  package var fileNames: [String] {
    [Self.fileName, Self.tokenizerFileName] + shards.flatMap { [$0.file, $0.documentsFile] }
  }
}
