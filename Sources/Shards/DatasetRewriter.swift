import Foundation
import Support

/// Makes one dataset of several: their documents shuffled, part of `train` split off, packed into shards anew.
package struct DatasetRewriter {
  /// A share of the documents of `train` that becomes another split.
  package struct Share: Sendable, Equatable {
    package let split: String
    package let share: Double

    package init(split: String, share: Double) { (self.split, self.share) = (split, share) }
  }

  package var shares: [Share] = []
  package var isShuffled = true
  package var seed: UInt64 = 1
  package var shardTokens: Int?
  /// Bytes for shuffling; documents beyond that go through files beside the output.
  package var memory = 1 << 30
  package var threads = 1
  package var recipe: String?
  /// Told the documents done, of all that are moved: each is moved twice when shuffled.
  package var progress: ((_ done: Int, _ total: Int) -> Void)?

  package init() {}

  /// The split of a document of `train`: decided by its tokens and the seed alone, so it stays where it is when documents
  /// are added elsewhere, and copies of one text are never on both sides.
  package func split(ofTrainDocument encoded: UnsafeRawBufferPointer) -> String {
    let position = Double(Hashing.xxh3(encoded, seed: seed) >> 11) * 0x1p-53
    var border = 0.0
    for share in shares {
      border += share.share
      if position < border { return share.split }
    }
    return "train"
  }

  package func write(_ inputs: [Dataset], to directory: String) throws -> DatasetIndex {
    try checkAgreement(inputs)
    let first = inputs[0].index
    let writer = try DatasetWriter(
      directory: directory, tokenizerJSON: inputs[0].tokenizerJSON(), vocabularySize: first.vocabularySize,
      endOfDocument: first.endOfDocument, split: inputs.lazy.flatMap(\.splits).min() ?? "train",
      shardTokens: shardTokens, recipe: recipe, threads: threads)
    var splits = Set(inputs.flatMap(\.splits)).sorted()
    if !shares.isEmpty && !splits.contains("train") {
      throw Failure(
        .usage, "there is no split train to divide", file: inputs[0].path,
        remedy: "The splits are: " + splits.joined(separator: ", "))
    }
    splits += shares.map(\.split).filter { !splits.contains($0) }
    for split in splits { try writer.declare(split: split) }

    let shards = inputs.flatMap(\.index.shards)
    let documents = shards.reduce(0) { $0 + $1.documents }
    var moved = 0
    func count() throws {
      moved += 1
      if moved & 0xff == 0 { try Interruption.check() }
      progress?(moved, isShuffled ? 2 * documents : documents)
    }
    let bytes = shards.reduce(0) { $0 + $1.bytes }
    let shuffler =
      isShuffled
      ? DocumentShuffler(
        totalBytes: bytes + documents * 64, memory: memory, seed: seed,
        directory: writer.temporaryPath + ".shuffle")
      : nil
    for input in inputs {
      for source in input.splits {
        let reader = try EncodedDocumentReader(input, split: source)
        while try reader.next({ encoded, row in
          let split = source == "train" ? split(ofTrainDocument: encoded) : source
          if let shuffler {
            try shuffler.add(encoded, row: row, split: splits.firstIndex(of: split)!)
          } else {
            try writer.append(encoded: encoded, textBytes: row.textBytes, words: row.words, to: split)
          }
          try count()
        }) {}
      }
    }
    try shuffler?.drain { encoded, row, split in
      try writer.append(encoded: encoded, textBytes: row.textBytes, words: row.words, to: splits[split])
      try count()
    }
    return try writer.finish()
  }

  private func checkAgreement(_ inputs: [Dataset]) throws {
    precondition(!inputs.isEmpty)
    for (number, other) in inputs.enumerated() {
      let first = inputs[0]
      let known =
        other.index.tokenizer.sha256 == first.index.tokenizer.sha256
        && other.index.vocabularySize == first.index.vocabularySize
        && other.index.endOfDocument == first.index.endOfDocument
      guard known else {
        throw Failure(
          .badInput, "was encoded with another tokenizer than \(first.path)", file: other.path,
          remedy: "Encode both with the same tokenizer; ids of different vocabularies cannot be mixed")
      }
      let realPath = URL(fileURLWithPath: other.path).resolvingSymlinksInPath().path
      if inputs[..<number].contains(where: {
        URL(fileURLWithPath: $0.path).resolvingSymlinksInPath().path == realPath
      }) {
        throw Failure(.usage, "the dataset is given twice", file: other.path, remedy: "Name each input once")
      }
    }
  }
}
