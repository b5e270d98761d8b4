import Foundation
import TestSupport
import Testing

/// `report.html` of a run.
@Suite(.long, .timeLimit(.minutes(60))) struct RunReportTests {
  /// A run over texts of which some are removed, with markup in them; returns the report.
  private func report(in scratch: Scratch) throws -> String {
    let good =
      "The ship sails over the grey sea, and nobody sleeps. It is a long way to the harbour of the town."
    var lines = (0..<300).map { "\(good) Number \($0)." }
    lines += [lines[7], lines[7], lines[9]]
    lines += ["<script>alert(\"too short & sharp\")</script> \u{202e}backwards"]
    lines += ["Die Schiffe fahren über das graue Meer und keiner schläft, Кораблі пливуть, 船は海を行く."]
    try scratch.write("texts.txt", lines.joined(separator: "\n") + "\n")
    try scratch.write(
      "held-out.txt", "Кораблі пливуть далеко over the grey sea and the town sleeps at night.\n")
    try scratch.write(
      "recipe.yaml",
      """
      inputs: {train: texts.txt, valid: held-out.txt}
      output: \(scratch.path("out"))
      stages:
        - normalize
        - filter: {min-words: 10}
        - dedup: {method: exact}
        - learn-bpe: {merges: 100}
        - encode
        - shard: {shard-size: 4K}
      """)
    let result = try Tool.data("run", scratch.path("recipe.yaml"))
    try #require(result.status == 0, "\(result.errors)")
    return try scratch.text("out.work/report.html")
  }

  @Test func tellsWhatHappened() throws {
    let scratch = try Scratch()
    let report = try report(in: scratch)
    for section in [
      "From text to tokens", "What was removed", "Duplicates", "How long documents are", "The vocabulary",
      "Shards",
      "Time", "The recipe",
    ] {
      #expect(report.contains("<h2>\(section)</h2>"), "\(section)")
    }
    // The funnel, the rule with the value of a sample, the clusters of 2 and 3, the scripts, the shards.
    for text in [
      ">305</td>", ">min-words<", ", at least 10", "2 clusters, the largest of 3", "Cyrillic",
      "train-00001.tokens.zst", "merges: 100",
    ] {
      #expect(report.contains(text), "\(text)")
    }
  }

  @Test func needsNothingElseAndRunsNothing() throws {
    let scratch = try Scratch()
    let report = try report(in: scratch)
    #expect(report.hasPrefix("<!DOCTYPE html>") && report.contains("<meta charset=\"utf-8\">"))
    // Nothing is fetched, and nothing of the documents is markup.
    for part in ["<script", "src=", "href=", "@import", "url("] { #expect(!report.contains(part), "\(part)") }
    #expect(report.contains("&lt;script&gt;alert(&quot;too short &amp; sharp&quot;)&lt;/script&gt;"))
    #expect(!report.contains("\u{202e}"))
    let parser = XMLTags(report)
    #expect(parser.unbalanced == [])
  }

  @Test func isWrittenAnewOnDemand() throws {
    let scratch = try Scratch()
    let report = try report(in: scratch)
    try FileManager.default.removeItem(atPath: scratch.path("out.work/report.html"))
    #expect(try Tool.data("run", "--report", scratch.path("recipe.yaml")).status == 0)
    #expect(try scratch.text("out.work/report.html") == report)
    // Where nothing has been done there is nothing to report.
    try FileManager.default.removeItem(atPath: scratch.path("out.work"))
    let refused = try Tool.data("run", "--report", scratch.path("recipe.yaml"))
    #expect(refused.status == 64 && refused.errors.contains("nothing has been done yet"))
  }
}

/// The tags of a page that are opened and not closed, or the other way round.
private struct XMLTags {
  private(set) var unbalanced: [String] = []

  init(_ page: String) {
    var open: [String] = []
    let empty: Set<String> = ["!DOCTYPE", "meta", "line", "br"]
    for part in page.split(separator: "<").dropFirst() {
      guard let end = part.firstIndex(where: { $0 == ">" || $0 == " " || $0 == "\n" }) else { continue }
      let name = String(part[..<end])
      if empty.contains(name) { continue }
      if name.hasPrefix("/") {
        if open.popLast() != String(name.dropFirst()) { unbalanced.append(name) }
      } else {
        open.append(name)
      }
    }
    unbalanced += open
  }
}
