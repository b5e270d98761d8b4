import ArgumentParser
import Commands
import Foundation
import Support
import Training

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "One HTML page of the curves of one or more runs.",
    discussion: """
      The page needs nothing but itself: it opens offline, and can be mailed. Runs may be under way, or of different \
      sizes; the curves stand over the tokens seen. The table names the keys in which the recipes differ.

      EXAMPLES
        pkm-train report runs/novels/memory runs/novels/dense -o novels.html
        pkm-train report runs/quickstart/model            (writes runs/quickstart/model/report.html)
      """)

  @Argument(help: ArgumentHelp("Run directories.", valueName: "run"))
  var runs: [String]

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The page, or - (default: report.html in the run directory of a single run, else standard output).",
      valueName: "file"))
  var output: String?

  @OptionGroup var options: RunOptions

  func run() throws {
    let started = Progress.now()
    let curves = try runs.map { try RunCurves($0) }
    let output = self.output ?? (runs.count == 1 ? Path.join(runs[0], "report.html") : nil)
    let file = try OutputFile(output == "-" ? nil : output)
    try file.write(RunsPage(runs: curves).html)
    try file.finish()
    var summary = Summary()
    summary[.runs] = .count(runs.count)
    summary.add(.bytesOut, file.bytesWritten)
    try options.report(summary, since: started)
    if let output, output != "-", !options.quiet { Log.line("written: \(output)") }
  }
}
