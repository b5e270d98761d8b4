import Shards
import Support
import Tokenization

/// The figures of a dataset in the report of a run: how long the documents are, and how well the vocabulary fits them.
///
/// Lengths are those of all documents. The rest is measured on a part of a stated size, from the beginning of the splits.
struct DatasetMeasures {
  struct Split {
    let name: String
    var words = LengthClasses()
    var tokens = LengthClasses()
  }

  /// Tokens of `train` looked at, and bytes of held-out text.
  private static let trainTokens = 1 << 25
  private static let heldOutBytes = 4 << 20

  private(set) var splits: [Split] = []
  /// How often each id of the vocabulary occurs in the tokens looked at.
  private(set) var idCounts: [Int]
  private(set) var countedSplit = ""
  /// The splits that the fertility was measured on.
  private(set) var heldOut: [String] = []
  private(set) var fertility = Fertility()
  private(set) var unknownTokens = 0

  /// Reads the rows of all documents, and the ids of some.
  static func measure(_ dataset: Dataset) throws -> DatasetMeasures {
    var measures = DatasetMeasures(vocabularySize: dataset.index.vocabularySize)
    try measures.add(dataset)
    return measures
  }

  private init(vocabularySize: Int) { idCounts = [Int](repeating: 0, count: vocabularySize) }

  private mutating func add(_ dataset: Dataset) throws {
    for name in dataset.splits {
      var split = Split(name: name)
      try dataset.forEachRow(of: name) { row in
        split.words.add(row.words)
        // The id that ends a document does not count as one of its tokens.
        split.tokens.add(row.tokens - 1)
      }
      splits.append(split)
    }
    let nonEmpty = splits.filter { $0.words.count > 0 }.map(\.name)
    countedSplit = nonEmpty.contains("train") ? "train" : nonEmpty.first ?? ""
    heldOut = nonEmpty.filter { ["test", "valid"].contains($0) }
    if heldOut.isEmpty { heldOut = nonEmpty.filter { $0 == countedSplit } }
    if !countedSplit.isEmpty { try countIDs(of: dataset) }
    try measureFertility(on: dataset)
  }

  private mutating func countIDs(of dataset: Dataset) throws {
    let reader = try EncodedDocumentReader(dataset, split: countedSplit)
    var counts = idCounts
    var seen = 0
    while seen < Self.trainTokens {
      let isThere = try reader.nextDocument { tokens, _ in
        for id in tokens { counts[Int(id)] += 1 }
        seen += tokens.count
      }
      if !isThere { break }
      try Interruption.check()
    }
    idCounts = counts
  }

  private mutating func measureFertility(on dataset: Dataset) throws {
    // The dataset may come from another tool, with a tokenizer that we cannot read.
    guard let tokenizer = try? TokenizerFile.load(dataset.tokenizerPath) else { return }
    let encoder = BPEEncoder(tokenizer)
    var fertility = Fertility()
    var unknown = 0
    for split in heldOut {
      let reader = try EncodedDocumentReader(dataset, split: split)
      var bytes = 0
      while bytes < Self.heldOutBytes / heldOut.count {
        let isThere = try reader.nextDocument { tokens, _ in
          // The beginning of a very long document is enough.
          let part = UnsafeBufferPointer(rebasing: tokens.prefix(1 << 18))
          if let id = tokenizer.unknown { unknown += part.count { $0 == id } }
          let text = try tokenizer.decode(part)
          bytes += text.count
          text.withUnsafeBytes { fertility.add($0, encoder) }
        }
        if !isThere { break }
        try Interruption.check()
      }
    }
    (self.fertility, unknownTokens) = (fertility, unknown)
  }

  /// Ids that occur, of the ids that could.
  var usedIDs: Int { idCounts.count { $0 > 0 } }

  /// The share of all tokens that the most frequent `count` ids make up.
  func coverage(ofMostFrequent counts: [Int]) -> [Double] {
    let sorted = idCounts.sorted(by: >)
    let total = Double(max(1, sorted.reduce(0, +)))
    return counts.map { Double(sorted.prefix($0).reduce(0, +)) / total }
  }
}
