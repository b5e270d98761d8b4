import ArgumentParser
import Commands
import Shards
import Stages
import Support

struct Verify: DocumentedCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every checksum and count of a dataset.")

  static let details = """
    Reads the whole dataset and lists every problem with its file and byte offset.
    The exit code is 65 if there is a problem.

    --deep also decodes documents and compares their words, and in byte-level mode
    their bytes, with the numbers that the dataset records. It decodes all
    documents of a small dataset, and of a large one about ten thousand, evenly
    spaced.
    """

  static let examples = """
    pkm-data verify shards/
    pkm-data verify --deep shards/
    """

  @Argument(help: ArgumentHelp("Dataset directory.", valueName: "dataset")) var dataset: String

  @Flag(help: "Decode a sample of the documents, too.") var deep = false

  @OptionGroup var options: RunOptions

  func validate() throws { try options.checkSeed() }

  var files: [OwnFiles.Entry] {
    options.files + .inputs([dataset])
  }

  func run() throws {
    let started = Progress.now()
    let progress = Progress("verify", isQuiet: options.quiet)
    let verifier = try DatasetVerifier.verify(dataset, threads: options.threadCount) {
      progress.update(done: $0, of: $1)
    }
    progress.finish()
    var problems = verifier.problems.map(\.description)
    var summary = Summary()
    summary.add(.bytesIn, verifier.bytes)
    summary.add(.tokens, verifier.tokens)
    summary.add(.documentsIn, verifier.documents)
    // A damaged dataset cannot be decoded.
    if deep && problems.isEmpty {
      problems += try DocumentSampleCheck(Dataset(dataset)).problems(&summary)
    }
    for problem in problems { Log.line(problem) }
    summary.add(.problems, problems.count)
    try options.report(summary, since: started)
    if !problems.isEmpty {
      let count = problems.count
      throw Failure(
        .badInput, "the dataset has \(count) problem\(count == 1 ? "" : "s")", file: dataset,
        remedy: "Copy it again from a good source or make it again")
    }
  }
}
