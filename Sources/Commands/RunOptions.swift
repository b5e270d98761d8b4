import ArgumentParser
import Foundation
import Support

/// The options that all commands share.
package struct RunOptions: ParsableArguments, Sendable {
  @Option(help: ArgumentHelp("Worker threads (default: all cores).", valueName: "n"))
  package var threads: Int?

  @Option(
    name: .customLong("seed"),
    help: ArgumentHelp("Random seed (default: 1, or that of the recipe).", valueName: "n"))
  package var givenSeed: UInt64?

  @Flag(help: "Print no progress and no summary; warnings and errors are still printed.")
  package var quiet = false

  @Option(
    help: ArgumentHelp(
      "Write counts and timings to this file as JSON, with samples of what was removed.", valueName: "file"))
  package var summary: String?

  package init() {}

  package var files: [OwnFiles.Entry] { .output(summary, "--summary") }

  package var seed: UInt64 { givenSeed ?? 1 }

  package var threadCount: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

  package func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads must be between 1 and 1024, not \(threads)")
    }
    // The summary comes last: hours later would be a bad time to refuse its name.
    try asValidation { try OutputName.checkCompression(summary) }
  }

  /// Throws if a seed was given although nothing is drawn at random; `mode` is what would draw.
  package func checkSeed(
    _ mode: String = "commands and modes that draw at random", isUsed: Bool = false
  ) throws {
    try OptionUse.check(mode, isUsed, ["--seed": givenSeed])
  }

  /// Ends a run: prints the summary line and writes the file of `--summary`, if requested.
  ///
  /// Both include the seconds and the peak memory. A command whose own output says enough passes `printsLine: false`.
  package func report(_ summary: Summary, since started: Double, printsLine: Bool = true) throws {
    var summary = summary
    summary[.seconds] = .number(Progress.now() - started)
    summary[.peakBytes] = .count(SystemCall.peakMemory)
    if !quiet && printsLine { Log.line(summary.line) }
    guard let path = self.summary else { return }
    let file = try OutputFile(path)
    try file.write(summary.json)
    try file.finish()
  }
}

/// A refusal of what the user typed, with the exit code and the form of those of ArgumentParser.
package func asValidation(_ check: () throws -> Void) throws {
  do { try check() } catch let failure as Failure { throw ValidationError("\(failure)") }
}
