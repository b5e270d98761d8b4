import Corpus
import Foundation
import Shards
import Support
import Tokenization

/// Looks into a dataset, a tokenizer or a corpus, whichever the inputs are.
package struct Inspector {
  private let input: CorpusInput
  /// The file of a tokenizer whose fit to a corpus is measured.
  private let tokenizer: String?
  private let settings: StageSettings

  package init(_ input: CorpusInput, tokenizer: String?, settings: StageSettings) {
    (self.input, self.tokenizer, self.settings) = (input, tokenizer, settings)
  }

  private var inputs: [String] { input.sources.map(\.name) }

  /// Whether the inputs are text, and neither a dataset nor a tokenizer.
  package var readsText: Bool {
    guard let path = inputs.first, inputs.count == 1 else { return true }
    return !Path.exists(Path.join(path, DatasetIndex.fileName))
      && (tokenizer != nil || !Self.looksLikeTokenizer(path))
  }

  package func run() throws -> Inspection {
    if let path = inputs.first, inputs.count == 1 {
      if Path.exists(Path.join(path, DatasetIndex.fileName)) { return try inspect(dataset: Dataset(path)) }
      if tokenizer == nil && Self.looksLikeTokenizer(path) { return try inspect(tokenizer: path) }
    }
    return try inspectCorpus()
  }

  private func inspect(dataset: Dataset) throws -> Inspection {
    let index = dataset.index
    var inspection = Inspection(kind: "dataset", path: dataset.path)
    inspection.counts[.vocabularySize] = .count(index.vocabularySize)
    inspection.counts[.bytesPerToken] = .count(index.tokenBytes)
    inspection.counts[.endOfDocument] = .count(index.endOfDocument)
    if let packing = index.packing { inspection.counts[.packing] = .text(packing.rawValue) }
    inspection.counts[.tokenizerSHA256] = .text(index.tokenizer.sha256)
    inspection.counts[.shards] = .count(index.shards.count)
    inspection.counts[.bytes] = .count(index.shards.reduce(0) { $0 + $1.bytes })
    let size = index.fileNames.reduce(0) { total, name in
      total + ((try? MappedFile(Path.join(dataset.path, name)).bytes.count) ?? 0)
    }
    inspection.counts[.bytesOnDisk] = .count(size)
    if let recipe = index.recipe {
      inspection.counts[.recipe] = .text(recipe.trimmingCharacters(in: .newlines))
    }
    var lengths = LengthHistogram(unit: "tokens")
    for split in dataset.splits {
      let totals = try dataset.totals(of: split)
      var counts = Summary()
      counts[.documents] = .count(totals.documents)
      counts[.tokens] = .count(totals.tokens)
      counts[.words] = .count(totals.words)
      counts[.textBytes] = .count(totals.textBytes)
      let tokens = Double(max(1, totals.tokens - totals.documents))
      counts[.bytesPerToken] = .number(Double(totals.textBytes) / tokens)
      counts[.tokensPerWord] = .number(tokens / Double(max(1, totals.words)))
      inspection.parts.append((split, counts))
      // The end-of-document id is no part of the document.
      try dataset.forEachRow(of: split) { lengths.add($0.tokens - 1) }
    }
    inspection.lengths = lengths
    inspection.sample = try sample(of: dataset)
    return inspection
  }

  /// The beginning of the first document, decoded.
  private func sample(of dataset: Dataset) throws -> String? {
    guard let tokenizer = try? TokenizerFile.load(dataset.tokenizerPath),
      let split = dataset.splits.first(where: { $0 == "train" }) ?? dataset.splits.first
    else { return nil }
    var sample: String?
    _ = try EncodedDocumentReader(dataset, split: split).nextDocument { tokens, _ in
      let text = try tokenizer.decode(UnsafeBufferPointer(rebasing: tokens.prefix(300)))
      sample = String(decoding: text, as: UTF8.self)
    }
    return sample
  }

  private static func looksLikeTokenizer(_ path: String) -> Bool {
    if Path.isDirectory(path) {
      return ["tokenizer.json", "tokenizer.model", "tekken.json", "vocab.bpe"].contains {
        Path.exists(Path.join(path, $0))
      }
    }
    let name = TokenizerFile.plainName(of: path)
    return ["merges.txt", ".json", ".codes", ".tiktoken", "vocab.bpe", "tokenizer.model"].contains {
      name.hasSuffix($0)
    }
  }

  private func inspect(tokenizer path: String) throws -> Inspection {
    let tokenizer = try TokenizerFile.load(path)
    var inspection = Inspection(kind: "tokenizer", path: path)
    let shown = TokenizerDescription(tokenizer)
    inspection.counts[.mode] = .text(shown.mode)
    inspection.counts[.normalizer] = .text(shown.normalizer)
    inspection.counts[.preTokenizer] = .text(shown.preTokenizer)
    inspection.counts[.vocabularySize] = .count(tokenizer.listedCount)
    inspection.counts[.merges] = .count(tokenizer.merges.count)
    if let unknown = tokenizer.unknown {
      inspection.counts[.unknownToken] = .text(
        TokenizerDescription.visible(tokenizer.vocabulary[unknown]) + " \(unknown)")
    }
    inspection.counts[.postProcessor] = .text(shown.postProcessor)
    inspection.counts[.decoder] = .text(shown.decoder)
    inspection.counts[.specialTokens] = .text(shown.specialTokens)
    if let added = shown.addedTokens { inspection.counts[.addedTokens] = .text(added) }
    var lengths = LengthHistogram(unit: "bytes", counted: "tokens")
    let added = Set(tokenizer.addedTokens.map(\.id))
    let ids = (0..<UInt32(tokenizer.listedCount)).filter {
      !added.contains($0) && !tokenizer.vocabulary.range(of: $0).isEmpty
    }
    for id in ids { lengths.add(tokenizer.vocabulary.range(of: id).count) }
    let longest = ids.sorted {
      (tokenizer.vocabulary.range(of: $0).count, $1) > (tokenizer.vocabulary.range(of: $1).count, $0)
    }
    inspection.counts[.longestTokens] = .text(
      longest.prefix(10).map { TokenizerDescription.visible(tokenizer.vocabulary[$0]) }.joined(
        separator: "\n"))
    inspection.lengths = lengths
    return inspection
  }

  private func inspectCorpus() throws -> Inspection {
    let names = inputs.isEmpty ? "-" : inputs.joined(separator: " ")
    var inspection = Inspection(kind: "corpus", path: names)
    struct Part: Sendable {
      let words: Int
      let lengths: [Int]
      let first: [UInt8]?
      let fertility: Fertility
    }
    let encoder = try tokenizer.map { BPEEncoder(try TokenizerFile.loadToEncode($0)) }
    var fertility = Fertility()
    var words = 0
    var lengths = LengthHistogram(unit: "bytes")
    // What there is instead of documents is what the user wants to know.
    var input = input
    input.options.allowsEmpty = true
    let pass = DocumentPass(reader: try input.reader(), settings: settings, label: "inspect")
    let counts = try pass.run(
      work: { batch, _ in
        var words = 0
        var first: [UInt8]?
        var fertility = Fertility()
        batch.forEachDocument { _, bytes in
          if let encoder { fertility.add(bytes, encoder) }
          words += Words.count(in: bytes)
          if first == nil && !bytes.isEmpty { first = Array(bytes.prefix(1000)) }
        }
        return Part(words: words, lengths: batch.ranges.map(\.count), first: first, fertility: fertility)
      },
      consume: { part in
        words += part.words
        fertility.merge(part.fertility)
        for length in part.lengths { lengths.add(length) }
        if inspection.sample == nil, let first = part.first {
          inspection.sample = String(decoding: first, as: UTF8.self)
        }
      })
    inspection.counts.add(.documents, counts.count(.documentsIn))
    inspection.counts.add(.words, words)
    inspection.counts.add(.textBytes, lengths.total)
    for (name, value) in counts.entries where name != .documentsIn { inspection.counts[name] = value }
    if tokenizer != nil {
      inspection.partKind = "script"
      inspection.parts = fertility.scripts.sorted { ($1.value.bytes, $0.key) < ($0.value.bytes, $1.key) }
        .map { ($0.key, $0.value.summary) }
      for name in [CountName.tokens, .tokensPerWord, .bytesPerToken] {
        inspection.counts[name] = fertility.all.summary[name]
      }
    }
    inspection.lengths = lengths
    try addTable(to: &inspection)
    return inspection
  }

  /// What the footer of a single Parquet file says.
  private func addTable(to inspection: inout Inspection) throws {
    guard inputs.count == 1, let table = try TableDescription(of: inputs[0]) else { return }
    inspection.counts[.rows] = .count(table.rows)
    inspection.counts[.rowGroups] = .count(table.rowGroups)
    if let creator = table.createdBy { inspection.counts[.createdBy] = .text(creator) }
    // The parts are scripts where a tokenizer is measured.
    if !inspection.parts.isEmpty { return }
    inspection.partKind = "column"
    inspection.parts = table.columns.map { column in
      var counts = Summary()
      counts[.bytes] = .count(column.bytes)
      counts[.bytesOnDisk] = .count(column.storedBytes)
      counts[.codec] = .text(column.codec)
      counts[.type] = .text(column.type)
      counts[.encodings] = .text(column.encodings)
      return (column.path, counts)
    }
  }
}
