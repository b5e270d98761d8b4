import ArgumentParser
import Commands
import Foundation
import Support
import Training

struct Report: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write an HTML page with the curves of one or more runs.")

  static let details = """
    The page is a single file that can be read offline and sent by mail. Runs may
    be unfinished or of different sizes; the curves are plotted over the tokens
    seen. A table shows the keys in which the recipes differ.

    A single run gets its page as report.html in its run directory.
    """

  static let examples = """
    pkm-train report runs/novels/memory runs/novels/dense -o novels.html
    pkm-train report runs/quickstart/model
    """

  @Argument(help: ArgumentHelp("Run directories.", valueName: "run"))
  var givenRuns: [String]
  var runs: [String] { Operands.all(givenRuns) }

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Output file, or - for standard output (default: report.html in the directory of a single run, else standard output).",
      valueName: "file"))
  var output: String?

  @OptionGroup var options: RunOptions

  func validate() throws { try options.checkSeed() }

  var files: [OwnFiles.Entry] {
    .output(output ?? "-") + options.files
  }

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
