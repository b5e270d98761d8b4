import ArgumentParser
import Commands
import Corpus
import Foundation
import Stages
import Support
import Tokenization

struct Bench: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the speed of each stage on your own files.")

  static let details = """
    Runs each stage --runs times: first its core, on one thread over documents in
    memory, then whole commands from file to file, with --threads. Prints the
    median and the range in MB/s of text, and tokens/s. "cold" is an encoder with
    empty caches, "warm" one that has encoded the same text before.
    """

  static let examples = """
    pkm-data bench corpus.txt
    pkm-data bench --tokenizer bpe.json --runs 3 'crawl/*.jsonl.zst'
    pkm-data bench --tokenizer bpe.json --documents file --threads 1 corpus.txt
    pkm-data bench --stages pre-tokenize,encode corpus.txt
    """

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp(
      "Tokenizer in any format that encode reads (default: learned from the input).", valueName: "file"))
  var tokenizer: String?

  @Option(help: ArgumentHelp("Number of merges to learn from the input (default: 8000).", valueName: "n"))
  var merges: Int?

  @Option(help: ArgumentHelp("Number of runs of each stage.", valueName: "n"))
  var runs = 5

  @Option(
    name: .customLong("stages"),
    help: ArgumentHelp(
      "Run only stages whose names start with one of these (repeatable, or separated by commas).",
      valueName: "name"))
  var givenStages: [String] = []

  private var stages: [String] { givenStages.flatMap { $0.split(separator: ",").map(String.init) } }

  @OptionGroup var input: InputOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    if !(1...1000).contains(runs) { throw ValidationError("--runs must be between 1 and 1000, not \(runs)") }
    try OptionUse.check("bench without --tokenizer", tokenizer == nil, ["--merges": merges])
    if let merges, !(1...10_000_000).contains(merges) {
      throw ValidationError("--merges must be between 1 and 10000000, not \(merges)")
    }
    if input.inputs.isEmpty
      || input.inputs.contains(where: {
        $0 == "-" || Path.exists($0) && !Path.isRegularFile($0) && !Path.isDirectory($0)
      })
    {
      throw ValidationError("bench reads files, several times")
    }
  }

  var files: [OwnFiles.Entry] {
    options.files + .option(tokenizer, "--tokenizer")
  }

  func run() throws {
    // The commands write here, beside the system's other scratch files.
    let scratch = try TemporaryDirectory()
    defer { withExtendedLifetime(scratch) {} }
    try measureStages(in: scratch.path)
  }

  private func measureStages(in scratch: String) throws {
    let started = Progress.now()
    try input.checkFormats()
    let commands = StageCommands(
      input: input, threads: options.threadCount, merges: merges ?? 8000, tokenizer: tokenizer,
      scratch: scratch)
    if tokenizer == nil { try commands.learn() }
    let tokenizer = try TokenizerFile.loadToEncode(commands.tokenizerPath)
    let batches = try readAll()
    let bytes = batches.reduce(0) { $0 + $1.textBytes }
    let encoder = BPEEncoder(tokenizer)
    let encoded = batches.map { Self.encode($0, encoder) }
    let tokens = encoded.reduce(0) { $0 + $1.ids.count }
    var summary = Summary()
    summary.add(.textBytes, bytes)
    summary.add(.tokens, tokens)

    func isChosen(_ name: String) -> Bool { stages.isEmpty || stages.contains(where: name.hasPrefix) }
    func measure(_ name: String, _ body: () throws -> Void) throws {
      if !isChosen(name) { return }
      var seconds: [Double] = []
      for _ in 0..<runs {
        try Interruption.check()
        let start = Progress.now()
        try body()
        seconds.append(Progress.now() - start)
      }
      seconds.sort()
      let rates = seconds.map { Double(bytes) / $0 / 1e6 }
      let median = rates[rates.count / 2]
      Log.line(
        String(
          format: "%@ %9.1f MB/s (%.1f to %.1f) %9.2f Mtokens/s", TextColumns.left(name, 24), median,
          rates.last!,
          rates.first!, median * Double(tokens) / Double(max(bytes, 1))))
      summary[.megabytesPerSecond(name)] = .number(median)
    }

    Log.line(
      "\(TextColumns.grouped(bytes)) bytes in \(TextColumns.grouped(batches.reduce(0) { $0 + $1.count })) documents, "
        + "\(TextColumns.grouped(tokens)) tokens, median of \(runs) runs (slowest to fastest)")
    try measure("read") { _ = try readAll() }
    let normalizer = try Normalizer()
    try measure("normalize") { for batch in batches { _ = try normalizer.normalize(batch) } }
    try measure("pre-tokenize") {
      for batch in batches { _ = tokenizer.preTokenizer.count(in: batch.bytes, documents: batch.ranges) }
    }
    try measure("encode cold") {
      let fresh = BPEEncoder(tokenizer)
      for batch in batches { _ = Self.encode(batch, fresh) }
    }
    try measure("encode warm") { for batch in batches { _ = Self.encode(batch, encoder) } }
    try measure("pieces warm") {
      for batch in batches {
        _ = batch.bytes.withUnsafeBufferPointer { encoder.subwordLines(of: $0, documents: batch.ranges) }
      }
    }
    let decoder = TokenDecoder(tokenizer)
    try measure("decode") {
      for batch in encoded {
        var text = ByteBuffer(capacity: 1 << 20)
        try batch.ids.withUnsafeBufferPointer { try decoder.append($0, to: &text) }
      }
    }
    try measure("id lines") { for batch in encoded { _ = DecimalIDs.lines(batch) } }
    try measure("normalize to file", commands.normalize)
    try measure("filter to file", commands.filter)
    try measure("dedup exact to file", commands.deduplicate)
    try measure("dedup minhash to file", commands.deduplicateNear)
    try measure("learn-bpe to file", commands.learn)
    if tokenizer.endOfDocument != nil {
      try measure("encode to shards", commands.encode)
      if isChosen("decode shards") && !isChosen("encode to shards") { try commands.encode() }
      try measure("decode shards", commands.decode)
    }
    try options.report(summary, since: started)
  }

  private func readAll() throws -> [DocumentBatch] {
    let reader = try input.corpus().reader()
    var batches: [DocumentBatch] = []
    while let batch = try reader.next() { batches.append(batch) }
    return batches
  }

  private static func encode(_ batch: DocumentBatch, _ encoder: BPEEncoder) -> EncodedBatch {
    batch.bytes.withUnsafeBufferPointer { encoder.encode($0, documents: batch.ranges) }
  }
}

/// Whole commands, each from the input files to a file in a scratch directory.
private struct StageCommands {
  let input: InputOptions
  let threads: Int
  let merges: Int
  let tokenizer: String?
  let scratch: String

  /// The tokenizer named by the user, or the one that ``learn()`` writes.
  var tokenizerPath: String { tokenizer ?? Path.join(scratch, "learned.json") }

  func normalize() throws { try Normalize.parse(reading + writing("normalized")).run() }

  func filter() throws {
    try Filter.parse(reading + ["--rules", "gopher,mc4,c4,fineweb"] + writing("filtered")).run()
  }

  func deduplicate() throws { try Dedup.parse(reading + writing("unique")).run() }

  func deduplicateNear() throws {
    try Dedup.parse(reading + ["--method", "minhash"] + writing("distinct")).run()
  }

  func learn() throws {
    try LearnBPE.parse(reading + ["--merges", "\(merges)"] + writing("learned.json")).run()
  }

  func encode() throws {
    try? FileManager.default.removeItem(atPath: Path.join(scratch, "shards"))
    try Encode.parse(
      reading + ["--tokenizer", tokenizerPath, "--format", "shards"] + writing("shards")
    ).run()
  }

  /// The shards that ``encode()`` wrote.
  func decode() throws { try Decode.parse([Path.join(scratch, "shards")] + writing("text")).run() }

  private var reading: [String] {
    var options = ["--input-format", input.inputFormat.rawValue, "--encoding", input.encoding]
    options += ["--max-document-size", "\(input.maxDocumentSize)"]
    for (name, value) in [
      ("--documents", input.documents?.rawValue), ("--text-field", input.givenTextField),
      ("--invalid", input.givenInvalid?.rawValue), ("--expect-documents", input.expectDocuments),
    ] {
      if let value { options += [name, value] }
    }
    return options + (input.strict ? ["--strict"] : []) + (input.allowEmpty ? ["--allow-empty"] : [])
      + input.inputs
  }

  private func writing(_ name: String) -> [String] {
    ["-o", Path.join(scratch, name), "--quiet", "--threads", "\(threads)"]
  }
}
