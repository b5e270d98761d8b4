import ArgumentParser
import Corpus
import Stages
import Support

/// Where a command writes documents.
struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, jsonl }

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Output file (default: standard output); .gz and .zst compress.", valueName: "file"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "How documents are written: \(Format.list) (default: as they were read; jsonl if they come from WARC or in several "
        + "formats, or the output is so named)."))
  var outputFormat: Format?

  static let optionsSetByRun: [String] = ["output", "output-format"]

  /// The output or, in a recipe, a pipe.
  func corpus(pipe: InnerPipe? = nil) -> CorpusOutput {
    CorpusOutput(
      pipe.map { OutputSink.pipe($0) } ?? .path(output),
      givenFormat: outputFormat.flatMap { DocumentFormat(rawValue: $0.rawValue) })
  }
}
