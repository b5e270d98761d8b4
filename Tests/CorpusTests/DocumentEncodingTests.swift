import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DocumentEncodingTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func read(
    _ bytes: [UInt8], _ encoding: TextEncoding, name: String = "a.txt", batchBytes: Int = 1 << 20
  ) throws
    -> ReadDocuments
  {
    try ReadDocuments([scratch.write(name, bytes)], ReaderOptions(encoding: encoding, batchBytes: batchBytes))
  }

  private func charset(_ name: String) throws -> Charset { try #require(Charset(name)) }

  private static let french = "L'été, à la fenêtre, une forêt brûlée; ça coûte 5 € où l'œil naïf s'arrête.\n"
  private static let russian =
    "Все счастливые семьи похожи друг на друга, каждая несчастливая несчастлива по-своему.\n"
  private static let japanese = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n"
  private static let korean = "모든 국민은 인간으로서의 존엄과 가치를 가지며, 행복을 추구할 권리를 가진다.\n"

  /// The C library's conversion is the reference.
  private func encoded(_ text: String, _ charset: String) throws -> [UInt8] {
    let converter = try #require(iconv_open(charset, "UTF-8"))
    defer { iconv_close(converter) }
    var input = Array(text.utf8CString.dropLast())
    var output = [CChar](repeating: 0, count: 8 * input.count + 16)
    var (inputLeft, outputLeft) = (input.count, output.count)
    try input.withUnsafeMutableBufferPointer { input in
      try output.withUnsafeMutableBufferPointer { output in
        var (from, to) = (input.baseAddress, output.baseAddress)
        try #require(iconv(converter, &from, &inputLeft, &to, &outputLeft) != Int.max)
        try #require(iconv(converter, nil, nil, &to, &outputLeft) != Int.max)
      }
    }
    try #require(inputLeft == 0)
    return output.dropLast(outputLeft).map { UInt8(bitPattern: $0) }
  }

  @Test(arguments: [
    ("windows-1252", french), ("koi8-r", russian), ("windows-1251", russian), ("iso-8859-5", russian),
    ("ibm866", russian),
    ("Shift_JIS", japanese), ("euc-jp", japanese), ("ISO-2022-JP", japanese), ("euc-kr", korean),
    ("utf-16le", french),
    ("utf-16be", japanese), ("utf-32le", korean), ("utf-32be", russian),
  ])
  func readsNamedAndDetectedCharsets(name: String, text: String) throws {
    let text = String(repeating: text, count: 6)
    let bytes = try encoded(text, name)
    let lines = text.split(separator: "\n").map(String.init)
    for batchBytes in [7, 64, 1 << 20] {
      #expect(try read(bytes, .named(charset(name)), batchBytes: batchBytes).texts == lines)
      let detected = try read(bytes, .automatic, batchBytes: batchBytes)
      #expect(detected.texts == lines, "\(detected.counts.line)")
      #expect(detected.counts.entries.filter { $0.name.rawValue.hasPrefix("charset_") }.count == 1)
    }
  }

  @Test func recognizesWideTextByItsMark() throws {
    for (mark, encoding) in [
      ([0xff, 0xfe], "UTF-16LE"), ([0xfe, 0xff], "UTF-16BE"), ([0xff, 0xfe, 0, 0], "UTF-32LE"),
      ([0, 0, 0xfe, 0xff], "UTF-32BE"),
    ] as [([UInt8], String)] {
      let bytes = mark + (try encoded(Self.japanese + "😀\u{0}\n", encoding))
      for choice in [TextEncoding.utf8, .automatic] {
        let found = try read(bytes, choice)
        #expect(found.texts == [String(Self.japanese.dropLast()), "😀\u{0}"])
        #expect(found.counts.count(.bomRemoved) == 1)
        #expect(found.counts.entries.contains { $0.name.rawValue.hasPrefix("charset_utf_") })
      }
    }
  }

  @Test func detectsWellFormedUTF8() throws {
    for text in ["", "plain\n", Self.french, Self.japanese] {
      let found = try read(Array(text.utf8), .automatic)
      #expect(found.texts.joined() == text.replacing("\n", with: ""))
      #expect(found.counts.count(CountName("charset_utf_8")) == (text.isEmpty ? 0 : 1))
    }
    // Detection waits for the first byte that is not ASCII.
    let late =
      [UInt8](repeating: 0x61, count: 300_000) + [0x0a]
      + (try encoded(Self.french + Self.french, "windows-1252"))
    let found = try read(late, .automatic)
    #expect(
      found.texts.last == String(Self.french.dropLast())
        && found.counts.count(CountName("charset_windows_1252")) == 1)
  }

  @Test func convertsJSONLines() throws {
    let bytes = try encoded("{\"text\":\"\(Self.russian.dropLast())\",\"n\":\"я\"}\n", "windows-1251")
    let found = try read(bytes, .named(charset("windows-1251")), name: "a.jsonl")
    #expect(found.texts == [String(Self.russian.dropLast())])
  }

  /// Invalid bytes are counted, wherever a batch ends or a character is split.
  @Test func replacesAndCountsInvalidBytes() throws {
    let japanese = try encoded(Self.japanese, "EUC-JP")
    let bytes = japanese + [0xff, 0x41, 0x0a] + japanese + [0xa4]
    for batchBytes in [3, 50, 1 << 20] {
      let found = try read(bytes, .named(charset("euc-jp")), batchBytes: batchBytes)
      let line = String(Self.japanese.dropLast())
      #expect(found.texts == [line, "\u{fffd}A", line, "\u{fffd}"])
      #expect(found.counts.count(.invalidCharactersReplaced) == 2)
    }
    let odd = try read([0x61, 0, 0x00, 0xd8, 0x62, 0, 0x63], .named(charset("utf-16le")))
    #expect(odd.texts == ["a\u{fffd}b\u{fffd}"])
  }

  @Test func detectsTheCharsetOfEachRecord() throws {
    var file = WARCBuilder()
    file.record(
      "resource", ["Content-Type: text/plain"], try encoded(Self.russian + Self.russian, "windows-1251"))
    file.record("resource", ["Content-Type: text/plain"], Array(Self.japanese.utf8))
    file.record(
      "resource", ["Content-Type: text/plain"], [0xff, 0xfe] + (try encoded("a", "UTF-16LE")))
    file.response("text/plain; charset=koi8-r", try encoded(Self.russian, "KOI8-R"))
    let found = try read(file.bytes, .automatic, name: "a.warc")
    #expect(found.texts == [Self.russian + Self.russian, Self.japanese, "a", Self.russian])
    for name in ["windows_1251", "utf_8", "utf_16le", "koi8_r"] {
      #expect(found.counts.count(CountName("charset_" + name)) == 1)
    }
  }

  @Test func appliesInvalidTextPolicies() throws {
    let files: [(String, [UInt8], DocumentSplitting)] = [
      ("a.txt", Array("one\nt".utf8) + [0xff] + Array("o\nthree\n".utf8), .line),
      ("b.txt", Array("one\n\nt".utf8) + [0xff] + Array("o\n\nthree\n".utf8), .paragraph),
      (
        "c.jsonl",
        Array("{\"text\":\"one\"}\n{\"text\":\"t".utf8) + [0xff] + Array("o\"}\n{\"text\":\"three\"}\n".utf8),
        .line
      ),
    ]
    var warc = WARCBuilder()
    for text in [Array("one".utf8), Array("t".utf8) + [0xff] + Array("o".utf8), Array("three".utf8)] {
      warc.record("conversion", [], text)
    }
    for (name, bytes, splitting) in files + [("d.warc", warc.bytes, .line)] {
      let path = try scratch.write(name, bytes)
      var options = ReaderOptions(splitting: splitting)
      #expect(try ReadDocuments([path], options).texts == ["one", "t\u{fffd}o", "three"])
      options.invalid = .drop
      let found = try ReadDocuments([path], options)
      #expect(found.texts == ["one", "three"] && found.counts.count(.documentsInvalid) == 1, "\(name)")
      options.invalid = .error
      let failure = #expect(throws: Failure.self) { try ReadDocuments([path], options) }
      #expect(
        failure?.kind == .badInput && failure?.line != nil && failure?.remedy?.contains("--invalid") == true)
    }
  }

  @Test func rejectsUnknownCharsetNames() {
    #expect(
      Charset("klingon-7") == nil && Charset("") == nil && Charset(String(repeating: "x", count: 100)) == nil)
    #expect(Charset("latin1")?.name == "windows-1252" && Charset("CP1252")?.name == "windows-1252")
    #expect(Charset.names.count > 100)
  }
}
