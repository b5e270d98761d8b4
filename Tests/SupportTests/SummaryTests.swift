import Foundation
import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct SummaryTests {
  private func sample(_ text: String, _ summary: inout Summary, note: String = "") {
    Array(text.utf8).withUnsafeBytes { summary.addSample(of: CountName("dropped"), $0, note: note) }
  }

  @Test func theFirstSamplesStay() throws {
    var first = Summary()
    for number in 1...3 { sample("text \(number)", &first, note: "\(number), at least 50") }
    var second = Summary()
    for number in 4...9 { sample("text \(number)", &second) }
    first.add(CountName("dropped"), 3)
    second.add(CountName("dropped"), 6)
    first.merge(second)
    let texts = try #require(first.samples.first { $0.name == CountName("dropped") }?.samples.map(\.text))
    #expect(texts == ["text 1", "text 2", "text 3", "text 4"])
    #expect(first.count(CountName("dropped")) == 9)
    // People see them in the report, not in the line of counts.
    #expect(first.line == "dropped 9")
    let object = try JSONSerialization.jsonObject(with: Data(first.json.utf8)) as? [String: Any]
    let samples = try #require(object?["samples"] as? [String: [[String: String]]])
    #expect(samples["dropped"]?.first == ["text": "text 1", "note": "1, at least 50"])
  }

  @Test func rulesThatRemovedNothingAreLeftToTheFile() {
    var summary = Summary()
    for (name, count) in [("documents_in", 0), ("dropped_short", 0), ("dropped_long", 2)] {
      summary.add(CountName(name), count)
    }
    #expect(summary.line == "documents_in 0, dropped_long 2")
    #expect(summary.json.contains("\"dropped_short\": 0"))
  }

  @Test func aLongSampleIsCutBetweenCharacters() throws {
    var summary = Summary()
    sample(String(repeating: "a", count: 399) + "äöü", &summary)
    let text = try #require(summary.samples.first?.samples.first?.text)
    #expect(text == String(repeating: "a", count: 399) + "…")
  }

  @Test func jsonHasAMemberOnEveryLine() {
    var summary = Summary()
    summary[CountName("file")] = .text("a \"b\"")
    summary[CountName("seconds")] = .number(0.25)
    sample("text", &summary, note: "why")
    sample("more", &summary)
    #expect(
      summary.json == #"""
        {
          "file": "a \"b\"",
          "seconds": 0.25,
          "samples": {
            "dropped": [{"text": "text", "note": "why"}, {"text": "more", "note": ""}]
          }
        }

        """#)
  }
}
