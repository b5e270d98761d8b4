import ArgumentParser
import Commands
import Shards
import Support

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check every checksum and count of a dataset.",
    discussion: """
      Reads all of it and lists every problem with file and byte offset. Exit code 65 if there is any.

      EXAMPLE: pkm-data verify shards/
      """)

  @Argument(help: ArgumentHelp("The dataset directory.", valueName: "dataset")) var dataset: String

  @OptionGroup var options: RunOptions

  func run() throws {
    let started = Progress.now()
    let progress = Progress("verify", isQuiet: options.quiet)
    let verifier = try DatasetVerifier(verifying: dataset, threads: options.threadCount) {
      progress.update(done: $0, of: $1)
    }
    progress.finish()
    for problem in verifier.problems { Log.line(problem.description) }
    var summary = Summary()
    summary.add("bytes_in", verifier.bytes)
    summary.add("tokens", verifier.tokens)
    summary.add("documents_in", verifier.documents)
    summary.add("problems", verifier.problems.count)
    try options.report(summary, since: started)
    if !verifier.problems.isEmpty {
      let count = verifier.problems.count
      throw Failure(
        .badInput, "the dataset has \(count) problem\(count == 1 ? "" : "s")", file: dataset,
        remedy: "Copy it again from a good source or make it again")
    }
  }
}
