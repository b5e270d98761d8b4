import Foundation
import Support

/// Makes one dataset from several: shuffles their documents, splits off part of `train`, mixes the rest in
/// the wanted proportions, and packs everything into new shards.
package struct DatasetRewriter {
  /// A share of the documents of `train` that becomes another split.
  package struct Share: Sendable, Equatable {
    package let split: String
    package let share: Double

    package init(split: String, share: Double) { (self.split, self.share) = (split, share) }
  }

  package var shares: [Share] = []
  /// Decides how many tokens to take of each input, given the tokens of `train` that each has left after
  /// other splits were split off; nil takes every document once.
  package var mixture: (@Sendable (_ trainTokens: [Int]) throws -> DatasetMixture)?
  package var isShuffled = true
  package var seed: UInt64 = 1
  package var shardTokens: Int?
  /// The packing of the new dataset; nil keeps the packing of the inputs if they agree.
  package var packing: Packing?
  /// The level of ``ZstdCompressor``. Rewritten datasets are kept longer and read more often than their
  /// inputs.
  package var level = 1
  /// The memory in bytes for shuffling. Documents beyond that are stored in temporary files next to the
  /// output.
  package var memory = 1 << 30
  package var threads = 1
  package var recipe: String?
  /// Called with the number of documents processed and the total. Each document counts once when read, and
  /// again when shuffled.
  package var progress: ((_ done: Int, _ total: Int) -> Void)?

  package init() {}

  /// The split of a document of `train`.
  ///
  /// It depends only on the tokens and the seed. So documents keep their split when others are added, and
  /// copies of one text are always in the same split.
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
    let packings = Set(inputs.map(\.index.packing))
    let writer = try DatasetWriter(
      directory: directory, tokenizerJSON: inputs[0].tokenizerJSON(), vocabularySize: first.vocabularySize,
      endOfDocument: first.endOfDocument, split: inputs.lazy.flatMap(\.splits).min() ?? "train",
      shardTokens: shardTokens, packing: packing ?? (packings.count == 1 ? first.packing : nil),
      recipe: recipe, level: level, threads: threads)
    var splits = Set(inputs.flatMap(\.splits)).sorted()
    if !shares.isEmpty && !splits.contains("train") {
      throw Failure(
        .usage, "there is no split \"train\" to divide", file: inputs[0].path,
        remedy: "The splits are: " + splits.joined(separator: ", "))
    }
    splits += shares.map(\.split).filter { !splits.contains($0) }
    for split in splits { try writer.declare(split: split) }

    let passes = try inputPasses(over: inputs)
    let documents = zip(inputs, passes).reduce(0) { $0 + $1.0.documentCount * $1.1.count }
    var moved = 0
    func count() throws {
      moved += 1
      if moved & 0xff == 0 { try Interruption.check() }
      progress?(moved, isShuffled ? 2 * documents : documents)
    }
    let shuffler =
      isShuffled
      ? DocumentShuffler(
        totalBytes: zip(inputs, passes).reduce(documents * 64) { $0 + $1.0.plainBytes * $1.1.count },
        memory: memory, seed: seed, directory: Path.join(writer.temporaryPath, "shuffle"))
      : nil
    for (input, passes) in zip(inputs, passes) {
      for var pass in passes {
        for source in input.splits where source == "train" || pass.isFirst {
          let reader = try EncodedDocumentReader(input, split: source)
          while try reader.next({ encoded, row in
            try count()
            let split = source == "train" ? split(ofTrainDocument: encoded) : source
            let isMixed = source == "train" && split == "train"
            guard isMixed ? pass.takes(row.tokens) : pass.isFirst else { return }
            if let shuffler {
              try shuffler.add(encoded, row: row, split: splits.firstIndex(of: split)!)
            } else {
              try writer.append(encoded: encoded, textBytes: row.textBytes, words: row.words, to: split)
            }
          }) {}
        }
      }
    }
    try shuffler?.drain { encoded, row, split in
      try writer.append(encoded: encoded, textBytes: row.textBytes, words: row.words, to: splits[split])
      try count()
    }
    return try writer.finish()
  }

  /// One pass over an input. It takes all documents of `train` or a sample of them; documents for other
  /// splits are taken only in the first pass.
  private struct Pass {
    let isFirst: Bool
    /// nil takes all documents.
    var sampler: DocumentSampler?

    mutating func takes(_ tokens: Int) -> Bool { sampler == nil || sampler!.takes(tokens) }
  }

  private func inputPasses(over inputs: [Dataset]) throws -> [[Pass]] {
    guard let mixture else { return inputs.map { _ in [Pass(isFirst: true)] } }
    let available = try inputs.map(trainTokens)
    let quotas = try mixture(available).quotas
    return zip(quotas, available).enumerated().map { number, tokens in
      let (quota, available) = tokens
      let whole = available == 0 ? 0 : quota / available
      var passes = (0..<whole).map { Pass(isFirst: $0 == 0) }
      let rest = quota - whole * available
      if rest > 0 || whole == 0 {
        passes.append(
          Pass(
            isFirst: whole == 0,
            sampler: DocumentSampler(wanted: rest, of: available, seed: seed &+ UInt64(number))))
      }
      return passes
    }
  }

  /// The number of tokens in documents of `train` that stay in `train`.
  private func trainTokens(of input: Dataset) throws -> Int {
    guard input.splits.contains("train") else { return 0 }
    if shares.isEmpty { return try input.tokenCount(of: "train") }
    var tokens = 0
    let reader = try EncodedDocumentReader(input, split: "train")
    while try reader.next({ encoded, row in
      if split(ofTrainDocument: encoded) == "train" { tokens += row.tokens }
    }) { try Interruption.check() }
    return tokens
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

extension Dataset {
  fileprivate var documentCount: Int { index.shards.reduce(0) { $0 + $1.documents } }
  fileprivate var plainBytes: Int { index.shards.reduce(0) { $0 + $1.bytes } }
}
