import Foundation
import Support
import TestSupport
import Testing

@testable import Corpus

/// Careless writers' JSON: every object is read, or counted as lost.
@Suite(.timeLimit(.minutes(60))) struct JSONLayoutTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func read(_ text: String, name: String = "a.jsonl", batchBytes: Int = 1 << 20) throws
    -> ReadDocuments
  {
    try ReadDocuments([scratch.write(name, text)], ReaderOptions(batchBytes: batchBytes))
  }

  private static let a = #"{"text":"a","n":1}"#, b = #"{"n":[2,{"x":"}"}],"text":"b"}"#

  /// Layouts of two objects; all are read whatever the file is called, and whatever the size of a batch is.
  @Test(arguments: [
    "\(a)\n\(b)\n", "\(a)\r\n\(b)\r\n", "\(a)\r\(b)\r", "\n\n \n\(a)\n\n\(b)", "\u{feff}\(a)\n\u{feff}\(b)\n",
    "\u{feff}\n\(a)\n\(b)\n", "[\(a),\(b)]", "[\n \(a),\n \(b)\n]\n", "[\n\(a)\n,\(b)\n,\n]",
    "[\(a)]\n[\(b)]\n",
    "\(a)\(b)", "\(a) \(b)\n", "\(a),\n\(b),\n", "\(a)\n\(b)", "\u{1e}\(a)\n\u{1e}\(b)\n",
    "# header\n\(a)\n\(b)\n",
    "// written by x\n\n# more\n\(a)\n# between\n\(b)\n",
    "{\n  \"text\": \"a\",\n  \"n\": 1\n}\n{\n  \"text\": \"b\"\n}\n",
    "[\n  {\n    \"text\": \"a\"\n  },\n  {\n    \"m\": {\n      \"x\": \"]\"\n    },\n    \"text\": \"b\"\n  }\n]\n",
    "{\n\"m\":\n{\n\"x\":1\n},\n\"text\":\"a\"}\n{\"text\":\n\"b\"}", "# x\n[\(a),\(b)]\n",
  ])
  func readsEveryObject(text: String) throws {
    for name in ["a.jsonl", "b.json", "c"] {
      for batchBytes in [1, 7, 1 << 20] {
        let found = try read(text, name: name, batchBytes: batchBytes)
        #expect(found.texts == ["a", "b"], "\(name) \(batchBytes) \(found.counts.line)")
        #expect(found.counts.count(.jsonLinesBroken) == 0)
      }
    }
  }

  @Test func keepsOtherFieldsOfAnArray() throws {
    let path = try scratch.write(
      "a.json", "[\n  {\"id\": 1,\n   \"text\": \"a\\u00e9\"}, {\"text\": \"b\", \"x\": [1, 2]}\n]\n")
    let reader = try DocumentReader(inputs: [path])
    var (out, counts) = ([UInt8](), Summary())
    while let batch = try reader.next() {
      out += DocumentRenderer(format: .jsonl).render(batch, counts: &counts)
    }
    #expect(
      String(decoding: out, as: UTF8.self)
        == "{\"id\": 1,    \"text\": \"a\\u00e9\"}\n{\"text\": \"b\", \"x\": [1, 2]}\n")
  }

  /// One broken object costs one object.
  @Test(arguments: [
    "{\"text\":\"lost\n\(a)\n\(b)\n", "\(a)\n{\"text\":\"lost\n\(b)\n", "\(a)\n{\"text\":\"lost\"\n\(b)\n",
    "[\n\(a),\n{\"text\":\"lost},\n\(b)\n]", "[\n\(a),\n{\"text\":\"lost\"\n\(b)\n]",
    "\(a)\nno JSON at all\n\(b)\n", "[\(a),\n\(b)", "{\n \"text\": \"lost\n}\n\(a)\n\(b)\n",
  ])
  func losesOnlyWhatIsBroken(text: String) throws {
    let found = try read(text)
    #expect(found.texts == ["a", "b"], "\(found.texts)")
    #expect(found.counts.count(.jsonLinesBroken) >= 1, "\(found.counts.line)")
    #expect(throws: Failure.self) {
      try ReadDocuments([scratch.path("a.jsonl")], ReaderOptions(isStrict: true))
    }
  }

  /// A name or the first line decides; text with braces and brackets is text.
  @Test func doesNotMistakeText() throws {
    for text in [
      "# Title\n\nSome text.\n", "[Verse 1]\nla la\n", "{ in C }\nint x;\n", "[1] A reference.\n",
      "{\n  int x;\n}\n",
      "# a\n{\"text\":\"quoted\"}\nprose\nmore prose\n", "{\n", "[", "#", "{\"a\n{\"b\nprose\n", "[]x\n",
    ] {
      let found = try read(text, name: "t.txt")
      #expect(found.texts.joined(separator: "\n") + (text.last == "\n" ? "\n" : "") == text, "\(text)")
    }
  }

  /// Half of a stream without a name is no text because its first line is cut.
  @Test func oneBrokenFirstLineDoesNotMakeText() throws {
    let lines = (0..<20).map { "{\"text\":\"\($0)\"}\n" }.joined()
    let found = try read(
      "\"end of a line\"}\n{\"text\": \"x\n".split(separator: "\n")[1] + "\n" + lines, name: "t")
    #expect(found.texts == (0..<20).map { "\($0)" } && found.counts.count(.jsonLinesBroken) == 1)
  }

  @Test func readsWhatPythonWritesForNumbers() throws {
    let found = try read(#"{"score":NaN,"text":"a NaN, Infinity","min":-Infinity,"max":[Infinity]}"# + "\n")
    #expect(found.texts == ["a NaN, Infinity"])
    #expect(try read(#"{"score":Na,"text":"a"}"#).counts.count(.jsonLinesBroken) == 1)
  }

  @Test func countsValuesWithoutText() throws {
    let text =
      #"{"text":null}"# + "\n" + #"{"text":7}"# + "\n" + #"{"text":["a"]}"# + "\n{}\n\"string\"\n7\nnull\n"
    let found = try read(text + #"{"text":"first","text":"second"}"# + "\n")
    // Of several fields of one name the last one counts, as in Python and jq.
    #expect(found.texts == ["second"])
    #expect(found.counts.count(.jsonTextsMissing) == 4 && found.counts.count(.jsonLinesBroken) == 3)
    let huge = try read("{\"" + String(repeating: "k", count: 1 << 20) + "\":1,\"text\":\"a\"}\n")
    #expect(huge.texts == ["a"])
  }

  @Test func carriageReturnsAloneEndLines() throws {
    for (text, lines) in [
      ("a\rb\r", ["a", "b"]), ("a\r\rb", ["a", "", "b"]), ("a\r", ["a\r"]), ("a\rb\n", ["a\rb"]),
      (String(repeating: "long line\r", count: 9000), Array(repeating: "long line", count: 9000)),
    ] {
      for batchBytes in [100, 1 << 20] {
        #expect(try read(text, name: "a.txt", batchBytes: batchBytes).texts == lines)
      }
    }
    // Line ends of other kinds that follow later do not become two.
    let mixed = String(repeating: "x\r", count: 40_000) + "y\r\nz\n"
    #expect(try read(mixed, name: "a.txt").texts == Array(repeating: "x", count: 40_000) + ["y", "z"])
  }

  /// Ten times the lines, fields, depth or name take ten times as long, and no more memory than the input asks for.
  @Test(
    .long,
    arguments: [
      "lines", "elements", "fields", "depth", "name", "comments", "blanks", "broken", "unclosed", "quotes",
    ])
  func growsLinearly(dimension: String) throws {
    func input(_ count: Int) -> String {
      func times(_ text: String) -> String { String(repeating: text, count: count) }
      return switch dimension {
      case "lines": times("{\"text\":\"a\"}\n")
      case "elements": "[" + times("{\"text\":\"a\"},") + "{\"text\":\"a\"}]"
      case "fields": "{" + times("\"k\":1,") + "\"text\":\"a\"}\n"
      case "depth": "{\"x\":" + times("[") + times("]") + ",\"text\":\"a\"}\n"
      case "name": "{\"" + times("k") + "\":1,\"text\":\"a\"}\n"
      case "comments": times("# x\n") + "{\"text\":\"a\"}\n"
      case "blanks": times(" \n") + "{\"text\":\"a\"}\n"
      case "broken": times("{\"text\":\"a\n")
      case "unclosed": times("{\"text\":\"a\",\n")
      default: times("{\"text\":\"\\\"\"}{")
      }
    }
    _ = try read(input(1000), name: "c")
    var seconds: [Double] = []
    for count in [10_000, 100_000, 1_000_000] {
      let text = input(count)
      let started = Progress.now()
      _ = try read(text, name: "c")
      seconds.append(Progress.now() - started)
    }
    // Quadratic time would be a hundredfold.
    #expect(seconds[2] < 30 * max(seconds[1], 0.05), "\(seconds)")
    #expect(seconds[1] < 30 * max(seconds[0], 0.02), "\(seconds)")
  }
}
