import Foundation
import TestSupport
import Testing

/// What must be left of a document that lost lines.
@Suite(.timeLimit(.minutes(60))) struct ParagraphMinimumTests {
  /// Characters count, not bytes.
  @Test(arguments: ["abc", "äöü", "日本語", "𐐨𐐩𐐪"]) func charactersAreCounted(rest: String) throws {
    let scratch = try Scratch()
    try scratch.write(
      "in.jsonl", "{\"text\":\"the same line\"}\n{\"text\":\"the same line\\n\(rest)\"}\n")
    for (least, count) in [(2, 2), (3, 2), (4, 1), (5, 1), (6, 1), (7, 1), (10, 1)] {
      let result = try Tool.data(
        "dedup", "--method", "paragraph", "--min-characters", "\(least)", "--quiet", "in.jsonl",
        in: scratch.url)
      #expect(result.text.split(separator: "\n").count == count, "\(least): \(result.text)")
    }
  }

  /// The report names the documents that had the lines first, ten of them at most.
  @Test(arguments: [3, 10, 12]) func tenFirstDocumentsAreNamed(lines: Int) throws {
    let scratch = try Scratch()
    let texts = (0..<lines).map { "line \(Character(Unicode.Scalar(UInt8(97 + $0)))) of the text" }
    let all = (texts + ["own line"]).joined(separator: "\\n")
    try scratch.write("in.jsonl", (texts + [all]).map { "{\"text\":\"\($0)\"}\n" }.joined())
    let result = try Tool.data(
      "dedup", "--method", "paragraph", "--report", "r.jsonl", "--quiet", "in.jsonl", in: scratch.url)
    #expect(result.status == 0, "\(result.errors)")
    let report = try scratch.text("r.jsonl")
    #expect(report.split(separator: "{\"file\"").count == 1 + min(lines, 10), "\(report)")
  }
}
