import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Score: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the log-probability of each document, and of its tokens.")

  static let details = """
    Reads plain text and JSON lines, compressed or not, and writes a JSON object
    for each document: its file and line, the number of its tokens, words and
    bytes, the sum of the log-probabilities of its tokens (natural logarithms)
    and that of its end. With --tokens, also the ids of the tokens and the
    log-probability of each. The first token of a document is scored after an
    end-of-document token, as in training.
    """

  static let examples = """
    pkm-train score --checkpoint runs/quickstart/model pages.jsonl.zst \\
      -o scores.jsonl
    echo "It was a dark night" | pkm-train score --tokens --documents line \\
      --checkpoint runs/quickstart/model
    """

  @Argument(help: ArgumentHelp("Input files (default: standard input).", valueName: "file"))
  var inputs: [String] = []

  @Option(
    help: ArgumentHelp(
      "Run directory (its newest checkpoint) or checkpoint directory.", valueName: "directory"))
  var checkpoint: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Output file (default: standard output).", valueName: "file"))
  var output: String?

  @Flag(help: "Also write the ids and the log-probabilities of the tokens.")
  var tokens = false

  @Option(help: ArgumentHelp("Sequences per batch.", valueName: "n"))
  var batch = 8

  @OptionGroup var reading: DocumentOptions
  @OptionGroup var chosen: TrainedModelOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    if !(1...4096).contains(batch) {
      throw ValidationError("--batch must be between 1 and 4096, not \(batch)")
    }
  }

  private var sources: [String] { inputs.isEmpty ? ["-"] : inputs }

  var files: [OwnFiles.Entry] { .output(output ?? "-") + options.files + .inputs(sources) }

  func run() throws {
    let started = Progress.now()
    let checkpoint = try Checkpoint(checkpoint)
    let engine = try checkpoint.makeEngine(
      precision: chosen.precision, threads: options.threadCount, kernels: engine.instructions,
      library: engine.library)
    try options.report(try score(checkpoint, on: engine.device, pool: engine.pool), since: started)
  }

  private func score(_ checkpoint: Checkpoint, on device: some Operations<Float>, pool: WorkerPool) throws
    -> Summary
  {
    let scoring = try DocumentScoring(
      checkpoint, averaged: chosen.average, stride: reading.stride, sequences: batch, on: device, pool: pool)
    let file = try OutputFile(output == "-" ? nil : output)
    var result = TextEvaluation()
    var summary = try scoring.score(sources, reading, isQuiet: options.quiet) { document in
      var json = JSONWriter()
      json.object {
        $0.member("file", document.file)
        $0.member("line", document.line)
        $0.member("tokens", document.tokens.count)
        $0.member("words", Words.count(in: document.text))
        $0.member("bytes", document.text.count)
        $0.member("log_probability", document.scores.dropLast().reduce(0, +))
        $0.member("end_log_probability", document.scores.last!)
        if tokens {
          $0.key("token_ids")
          $0.array { for id in document.tokens { $0.value(Int(id)) } }
          $0.key("token_log_probabilities")
          $0.array { for score in document.scores.dropLast() { $0.value(score) } }
        }
      }
      try file.write(json.bytes + [0x0a])
      result.add(document.scores, text: document.text)
    }
    try file.finish()
    summary[.checkpoint] = .text(checkpoint.directory)
    summary[.step] = .count(checkpoint.state.step)
    summary.add(.documentsOut, result.documents)
    summary[.tokens] = .count(result.tokens)
    return summary
  }
}
