import ArgumentParser
import Commands
import Shards
import Stages
import Support

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every checksum and count of a dataset.",
    discussion: """
      Reads all of it and lists every problem with file and byte offset. Exit code 65 if there is any. --deep also \
      decodes documents, all of a small dataset and some ten thousand, evenly spread, of a large one, and compares \
      their bytes (byte-level) and words with those that the dataset claims.

      EXAMPLES:
        pkm-data verify shards/
        pkm-data verify --deep shards/
      """)

  @Argument(help: ArgumentHelp("The dataset directory.", valueName: "dataset")) var dataset: String

  @Flag(help: "Decode a sample of the documents, too.") var deep = false

  @OptionGroup var options: RunOptions

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
