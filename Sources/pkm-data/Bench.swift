import ArgumentParser
import Commands
import Corpus
import Foundation
import Shards
import Support
import Tokenization

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The speed of each stage on a file of yours.",
    discussion: """
      Each stage runs --runs times on one thread over the documents in memory, the last two as whole commands do, with \
      --threads and files. Printed: median MB/s of text and the range, and tokens/s. Cold: an encoder that has seen \
      nothing; warm: one that has encoded this very text.

      EXAMPLES:
        pkm-data bench --tokenizer bpe.json corpus.txt
        pkm-data bench --tokenizer bpe.json --documents file --threads 1 --runs 7 corpus.txt
      """)

  @OptionGroup var input: InputOptions

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp("A tokenizer in any format of encode.", valueName: "file"))
  var tokenizer: String

  @Option(help: ArgumentHelp("Runs of each stage.", valueName: "n"))
  var runs = 5

  @OptionGroup var options: RunOptions

  func validate() throws {
    if runs < 1 { throw ValidationError("--runs must be at least 1") }
    if input.inputs.isEmpty || input.inputs.contains("-") {
      throw ValidationError("bench reads files, several times")
    }
  }

  func run() throws {
    let started = Progress.now()
    let tokenizer = try TokenizerFile.load(tokenizer)
    let batches = try readAll()
    let bytes = batches.reduce(0) { $0 + $1.textBytes }
    let encoder = BPEEncoder(tokenizer)
    let encoded = batches.map { Self.encode($0, encoder) }
    let tokens = encoded.reduce(0) { $0 + $1.ids.count }
    var summary = Summary()
    summary.add("text_bytes", bytes)
    summary.add("tokens", tokens)

    func measure(_ name: String, _ body: () throws -> Void) throws {
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
          format: "%@ %9.1f MB/s (%.1f to %.1f) %9.2f Mtokens/s", Inspection.padded(name, 24), median,
          rates.last!,
          rates.first!, median * Double(tokens) / Double(max(bytes, 1))))
      summary["mb_per_second_" + name.replacingOccurrences(of: " ", with: "_")] = .number(median)
    }

    Log.line(
      "\(Inspection.grouped(bytes)) bytes in \(Inspection.grouped(batches.reduce(0) { $0 + $1.count })) documents, "
        + "\(Inspection.grouped(tokens)) tokens, median of \(runs) runs (slowest to fastest)")
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
        _ = batch.bytes.withUnsafeBufferPointer { encoder.pieceLines(of: $0, documents: batch.ranges) }
      }
    }
    let decoder = TokenDecoder(tokenizer)
    try measure("decode") {
      for batch in encoded {
        var text = TextBuffer(capacity: 1 << 20)
        try batch.ids.withUnsafeBufferPointer { try decoder.append($0, to: &text) }
      }
    }
    try measure("id lines") { for batch in encoded { _ = TokenText.lines(batch) } }
    if tokenizer.endOfDocument != nil { try measureCommands(measure) }
    try options.report(summary, since: started)
  }

  private func readAll() throws -> [DocumentBatch] {
    let reader = try input.reader()
    var batches: [DocumentBatch] = []
    while let batch = try reader.next() { batches.append(batch) }
    return batches
  }

  private static func encode(_ batch: DocumentBatch, _ encoder: BPEEncoder) -> EncodedBatch {
    batch.bytes.withUnsafeBufferPointer { encoder.encode($0, documents: batch.ranges) }
  }

  /// encode to shards and decode from them, file to file, in a scratch directory beside the system's others.
  private func measureCommands(_ measure: (String, () throws -> Void) throws -> Void) throws {
    let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("pkm-bench-\(getpid())").path
    try SystemCall.makeDirectories(scratch)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let shards = Path.join(scratch, "shards")
    let quiet = ["--quiet", "--threads", "\(options.threadCount)"]
    let documents = input.documents.map { ["--documents", $0.rawValue] } ?? []
    try measure("encode to shards") {
      try? FileManager.default.removeItem(atPath: shards)
      let command = try Encode.parse(
        input.inputs + documents
          + ["--tokenizer", tokenizer, "-o", shards, "--format", "shards", "--text-field", input.textField]
          + quiet)
      try command.run()
    }
    try measure("decode shards") {
      let command = try Decode.parse([shards, "-o", Path.join(scratch, "text")] + quiet)
      try command.run()
    }
  }
}
