import ArgumentParser
import Foundation
import Support

/// Flags that every command understands.
package struct RunOptions: ParsableArguments, Sendable {
  @Option(help: ArgumentHelp("Worker threads (default: all cores).", valueName: "n"))
  package var threads: Int?

  @Option(
    name: .customLong("seed"),
    help: ArgumentHelp("Seed of everything random (default: 1, or the recipe's).", valueName: "n"))
  package var givenSeed: UInt64?

  @Flag(help: "No progress and no summary on standard error; warnings and errors stay.")
  package var quiet = false

  @Option(
    help: ArgumentHelp(
      "Write the run's counts and timings as JSON, with samples of what was removed.", valueName: "file"))
  package var summary: String?

  package init() {}

  package var seed: UInt64 { givenSeed ?? 1 }

  package var threadCount: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

  package func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads must be between 1 and 1024, not \(threads)")
    }
  }

  /// Ends a run: prints the summary line and writes the JSON of `--summary`, where it is asked for.
  ///
  /// Both say the seconds and the most memory taken; without `printsLine` what the command has printed says enough.
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
