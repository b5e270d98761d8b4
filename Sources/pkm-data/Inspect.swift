import ArgumentParser
import Commands
import Corpus
import Foundation
import Shards
import Support
import Tokenization

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a dataset, a tokenizer or a text corpus contains.",
    discussion: """
      EXAMPLES:
        pkm-data inspect shards/
        pkm-data inspect bpe.json
        pkm-data inspect --documents paragraph books/
        pkm-data inspect --tokenizer bpe.json books/
      """)

  @OptionGroup var input: InputOptions

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp(
      "Text: also tokens a word and bytes a token with this tokenizer, by script.", valueName: "file"))
  var tokenizer: String?

  @Flag(help: "Print JSON.") var json = false

  @OptionGroup var options: RunOptions

  func run() throws {
    let started = Progress.now()
    let inspection: Inspection
    if let path = input.inputs.first, input.inputs.count == 1, tokenizer == nil,
      Path.exists(Path.join(path, DatasetIndex.fileName))
    {
      inspection = try inspect(dataset: Dataset(path))
    } else if let path = input.inputs.first, input.inputs.count == 1, tokenizer == nil,
      Self.looksLikeTokenizer(path)
    {
      inspection = try inspect(tokenizer: path)
    } else {
      inspection = try inspectCorpus()
    }
    let output = try OutputFile("-")
    try output.write(json ? inspection.json : inspection.text)
    try output.finish()
    try options.report(inspection.counts, since: started, printsLine: false)
  }

  private func inspect(dataset: Dataset) throws -> Inspection {
    let index = dataset.index
    var inspection = Inspection(kind: "dataset", path: dataset.path)
    inspection.counts["vocabulary_size"] = .count(index.vocabularySize)
    inspection.counts["bytes_a_token"] = .count(index.tokenBytes)
    inspection.counts["end_of_document"] = .count(index.endOfDocument)
    if let packing = index.packing { inspection.counts["packing"] = .text(packing.rawValue) }
    inspection.counts["tokenizer_sha256"] = .text(index.tokenizer.sha256)
    inspection.counts["shards"] = .count(index.shards.count)
    inspection.counts["bytes"] = .count(index.shards.reduce(0) { $0 + $1.bytes })
    let size = index.fileNames.reduce(0) { total, name in
      total + ((try? MappedFile(Path.join(dataset.path, name)).bytes.count) ?? 0)
    }
    inspection.counts["bytes_on_disk"] = .count(size)
    if let recipe = index.recipe {
      inspection.counts["recipe"] = .text(recipe.trimmingCharacters(in: .newlines))
    }
    var lengths = LengthHistogram(unit: "tokens")
    for split in dataset.splits {
      let totals = try dataset.totals(of: split)
      var counts = Summary()
      counts["documents"] = .count(totals.documents)
      counts["tokens"] = .count(totals.tokens)
      counts["words"] = .count(totals.words)
      counts["text_bytes"] = .count(totals.textBytes)
      let tokens = Double(max(1, totals.tokens - totals.documents))
      counts["bytes_a_token"] = .number(Double(totals.textBytes) / tokens)
      counts["tokens_a_word"] = .number(tokens / Double(max(1, totals.words)))
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
    let name = TokenizerFile.plainName(of: path)
    return ["merges.txt", ".json", ".codes", ".tiktoken"].contains { name.hasSuffix($0) }
      && !Path.isDirectory(path)
  }

  private func inspect(tokenizer path: String) throws -> Inspection {
    let tokenizer = try TokenizerFile.load(path)
    var inspection = Inspection(kind: "tokenizer", path: path)
    inspection.counts["mode"] = .text(tokenizer.mode.rawValue)
    inspection.counts["pre_tokenizer"] = .text("\(tokenizer.preTokenizer)")
    inspection.counts["vocabulary_size"] = .count(tokenizer.vocabulary.count)
    inspection.counts["merges"] = .count(tokenizer.merges.count)
    let specials = tokenizer.specialTokens.map { "\($0.text) \($0.id)" }
    inspection.counts["special_tokens"] = .text(specials.isEmpty ? "none" : specials.joined(separator: ", "))
    var lengths = LengthHistogram(unit: "bytes", counted: "tokens")
    let special = Set(tokenizer.specialTokens.map(\.id))
    let ids = (0..<UInt32(tokenizer.vocabulary.count)).filter { !special.contains($0) }
    for id in ids { lengths.add(tokenizer.vocabulary.range(of: id).count) }
    let longest = ids.sorted {
      (tokenizer.vocabulary.range(of: $0).count, $1) > (tokenizer.vocabulary.range(of: $1).count, $0)
    }
    inspection.counts["longest_tokens"] = .text(
      longest.prefix(10).map { "\"\(String(decoding: tokenizer.vocabulary[$0], as: UTF8.self))\"" }
        .joined(separator: "\n"))
    inspection.lengths = lengths
    return inspection
  }

  private func inspectCorpus() throws -> Inspection {
    let names = input.inputs.isEmpty ? "-" : input.inputs.joined(separator: " ")
    var inspection = Inspection(kind: "corpus", path: names)
    struct Part: Sendable {
      let words: Int
      let lengths: [Int]
      let first: [UInt8]?
      let fertility: Fertility
    }
    let encoder = try tokenizer.map { BPEEncoder(try TokenizerFile.load($0)) }
    var fertility = Fertility()
    var words = 0
    var lengths = LengthHistogram(unit: "bytes")
    let pass = DocumentPass(reader: try input.reader(), options: options, label: "inspect")
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
    inspection.counts.add("documents", counts.count("documents_in"))
    inspection.counts.add("words", words)
    inspection.counts.add("text_bytes", lengths.total)
    for (name, value) in counts.entries where name != "documents_in" { inspection.counts[name] = value }
    if tokenizer != nil {
      inspection.partKind = "script"
      inspection.parts = fertility.scripts.sorted { ($1.value.bytes, $0.key) < ($0.value.bytes, $1.key) }
        .map { ($0.key, $0.value.summary) }
      for name in ["tokens", "tokens_a_word", "bytes_a_token"] {
        inspection.counts[name] = fertility.all.summary[name]
      }
    }
    inspection.lengths = lengths
    return inspection
  }
}
