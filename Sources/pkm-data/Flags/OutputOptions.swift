import ArgumentParser
import Commands
import Corpus
import Stages
import Support

/// Where a command writes documents.
struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, jsonl }

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      """
      Output file (default: standard output); .gz and .zst compress, .parquet writes a Parquet file, and names such as \
      x.xz are refused.
      """,
      valueName: "file"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Output format (default: that of the input; jsonl if the input is WARC or of several formats, or if the output "
        + "is named so).", valueName: "format"))
  var outputFormat: Format?

  func validate() throws {
    try asValidation { try OutputName.checkDocuments(output, allowsParquet: true) }
    if outputFormat == .text, let output, OutputName.isParquet(output) {
      throw ValidationError("--output-format text is for other outputs than a Parquet file")
    }
  }

  static let optionsSetByRun: [String] = ["output", "output-format"]

  /// The output or, in a recipe, a pipe.
  func corpus(pipe: InnerPipe? = nil) -> CorpusOutput {
    CorpusOutput(
      pipe.map { OutputSink.pipe($0) } ?? .path(output),
      givenFormat: outputFormat.flatMap { DocumentFormat(rawValue: $0.rawValue) })
  }
}
