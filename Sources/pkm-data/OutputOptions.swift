import ArgumentParser
import Corpus

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

  /// Nil is the format of each document's source.
  func format(of inputs: DocumentInputs) throws -> DocumentFormat? {
    if let outputFormat { return DocumentFormat(rawValue: outputFormat.rawValue) }
    // Lines of text among JSON lines would be lost to whoever reads the file.
    let isJSON = try output.flatMap { DocumentFormat(ofFileNamed: $0) } == .jsonl || inputs.mixFormats()
    return isJSON ? .jsonl : nil
  }
}
