import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DocumentWriterTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Reads documents, changes every text and writes them.
  private func rewritten(
    _ text: String, name: String, splitting: DocumentSplitting = .line, format: DocumentFormat? = nil,
    _ change: (String) -> String = { $0 }
  ) throws -> (text: String, counts: Summary) {
    let path = try scratch.write(name, text)
    let reader = try DocumentReader(inputs: [path], options: ReaderOptions(splitting: splitting))
    let writer = try DocumentWriter(.path(scratch.path("out")), format: format)
    while var batch = try reader.next() {
      for index in 0..<batch.count {
        let old = String(decoding: batch.bytes[batch.ranges[index]], as: UTF8.self)
        let new = change(old)
        guard new != old else { continue }
        batch.replaceText(at: index, by: Array(new.utf8))
      }
      try writer.write(batch)
    }
    try writer.finish()
    return (String(decoding: try Fixtures.bytes(at: scratch.path("out")), as: UTF8.self), writer.counts)
  }

  @Test func keepsOtherJSONFieldsUnchanged() throws {
    let text = "{ \"a\":1.50, \"text\" : \"\\u00e9\\/\\n\" ,\"z\":\"\\ud800\"}\n{\"text\":\"b\",\"n\": [ ]}"
    #expect(try rewritten(text, name: "a.jsonl").text == text + "\n")
    let changed = try rewritten(text, name: "a.jsonl") { $0 + "\"\\\u{1}" }.text
    #expect(
      changed == "{ \"a\":1.50, \"text\" : \"é/\\n\\\"\\\\\\u0001\" ,\"z\":\"\\ud800\"}\n"
        + "{\"text\":\"b\\\"\\\\\\u0001\",\"n\": [ ]}\n")
  }

  @Test(arguments: [
    ("a.jsonl", #"{"text":"x\ty","n":[1]} "#, #"{"text":"x\ty","n":[1],"score":0.5,"why":"b"}"#),
    ("a.jsonl", #"{"n":{"a":"}"},"text":""}"#, #"{"n":{"a":"}"},"text":"","score":0.5,"why":"b"}"#),
    ("a.txt", "plain", #"{"text":"plain","score":0.5,"why":"b"}"#),
  ])
  func addsFieldsAfterTheOthers(name: String, input: String, expected: String) throws {
    let reader = try DocumentReader(inputs: [try scratch.write(name, input)])
    var batch = try #require(try reader.next())
    batch.addField("score", json: "0.5", at: 0)
    batch.addField("why", json: #""b""#, at: 0)
    var counts = Summary()
    let written = DocumentRenderer(format: .jsonl).render(batch, counts: &counts)
    #expect(String(decoding: written, as: UTF8.self) == expected + "\n")
  }

  @Test func writesTextAsJSON() throws {
    let written = try rewritten("a \"b\"\n\tc\u{0}", name: "a.txt", format: .jsonl).text
    #expect(written == #"{"text":"a \"b\""}"# + "\n" + #"{"text":"\tc\u0000"}"# + "\n")
  }

  @Test func writesJSONAsText() throws {
    let json = #"{"text":"a\n\n \nb"}"# + "\n" + #"{"text":""}"# + "\n" + #"{"text":"c\n"}"#
    let lines = try rewritten(json, name: "a.jsonl", format: .text)
    #expect(lines.text == "a    b\n\nc \n" && lines.counts.count(.lineEndsToSpaces) == 4)
    let paragraphs = try rewritten(json, name: "a.jsonl", splitting: .paragraph, format: .text)
    #expect(paragraphs.text == "a\nb\n\n\nc\n\n" && paragraphs.counts.count(.blankLinesDropped) == 2)
    #expect(try rewritten(json, name: "a.jsonl", splitting: .file, format: .text).text == "a\n\n \nb\nc\n")
  }

  @Test(arguments: [DocumentSplitting.line, .paragraph, .file, .stream])
  func readsBackWhatItWrites(splitting: DocumentSplitting) throws {
    let text = "first line\nsecond line\n\nthird\n"
    #expect(try rewritten(text, name: "a.txt", splitting: splitting).text.hasPrefix(text))
    let again = try ReadDocuments([scratch.path("out")], ReaderOptions(splitting: splitting))
    #expect(
      try again.texts == ReadDocuments([scratch.path("a.txt")], ReaderOptions(splitting: splitting)).texts)
  }

  @Test func readsBackQuotedText() throws {
    var texts = RandomText(seed: 3)
    for _ in 0..<200 {
      let text = texts.text(upTo: 40)
      var line = Array("{\"text\":".utf8)
      text.withUnsafeBytes { JSONText.quote($0, into: &line) }
      let found = try ReadDocuments([scratch.write("q.jsonl", line + [0x7d])])
      #expect(found.texts == [String(decoding: text, as: UTF8.self)])
    }
  }
}
