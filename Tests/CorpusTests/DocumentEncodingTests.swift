import Corpus
import Foundation
import Support
import Testing

@Suite struct DocumentEncodingTests {
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

  /// Foundation's conversion is the judge.
  private func encoded(_ text: String, _ encoding: String.Encoding) throws -> [UInt8] {
    [UInt8](try #require(text.data(using: encoding)))
  }

  @Test(arguments: [
    ("windows-1252", String.Encoding.windowsCP1252, Self.french),
    ("koi8-r", .init(rawValue: 0x8000_0a02), Self.russian),
    ("windows-1251", .windowsCP1251, Self.russian), ("Shift_JIS", .shiftJIS, Self.japanese),
    ("euc-jp", .japaneseEUC, Self.japanese), ("ISO-2022-JP", .iso2022JP, Self.japanese),
    ("euc-kr", .init(rawValue: 0x8000_0940), Self.korean), ("utf-16le", .utf16LittleEndian, Self.french),
    ("utf-16be", .utf16BigEndian, Self.japanese), ("utf-32le", .utf32LittleEndian, Self.korean),
    ("utf-32be", .utf32BigEndian, Self.russian),
  ])
  func namedAndDetected(name: String, encoding: String.Encoding, text: String) throws {
    let text = String(repeating: text, count: 6)
    guard let data = text.data(using: encoding) else { return }
    let lines = text.split(separator: "\n").map(String.init)
    for batchBytes in [7, 64, 1 << 20] {
      #expect(
        try read([UInt8](data), .named(charset(name)), batchBytes: batchBytes).texts == lines, "\(name)")
      let detected = try read([UInt8](data), .automatic, batchBytes: batchBytes)
      #expect(detected.texts == lines, "\(name): \(detected.counts.line)")
      #expect(detected.counts.entries.filter { $0.name.hasPrefix("charset_") }.count == 1)
    }
  }

  @Test func wideTextWithAMarkIsReadAsItIs() throws {
    for (mark, encoding) in [
      ([0xff, 0xfe], String.Encoding.utf16LittleEndian), ([0xfe, 0xff], .utf16BigEndian),
      ([0xff, 0xfe, 0, 0], .utf32LittleEndian), ([0, 0, 0xfe, 0xff], .utf32BigEndian),
    ] as [([UInt8], String.Encoding)] {
      let bytes = mark + (try encoded(Self.japanese + "😀\u{0}\n", encoding))
      for choice in [TextEncoding.utf8, .automatic] {
        let found = try read(bytes, choice)
        #expect(found.texts == [String(Self.japanese.dropLast()), "😀\u{0}"])
        #expect(found.counts.count("bom_removed") == 1)
        #expect(found.counts.entries.contains { $0.name.hasPrefix("charset_utf_") })
      }
    }
  }

  @Test func automaticIsUTF8WhereThatIsWellFormed() throws {
    for text in ["", "plain\n", Self.french, Self.japanese] {
      let found = try read(Array(text.utf8), .automatic)
      #expect(found.texts.joined() == text.replacing("\n", with: ""))
      #expect(found.counts.count("charset_utf_8") == (text.isEmpty ? 0 : 1))
    }
    // The decision waits for the first byte that is not ASCII.
    let late = [UInt8](repeating: 0x61, count: 300_000) + [0x0a] + (try encoded(Self.french, .windowsCP1252))
    let found = try read(late, .automatic)
    #expect(
      found.texts.last == String(Self.french.dropLast()) && found.counts.count("charset_windows_1252") == 1)
  }

  @Test func jsonIsConverted() throws {
    let bytes = try encoded(
      "{\"text\":\"\(Self.russian.dropLast())\",\"n\":\"é\"}\n".replacing("é", with: "я"), .windowsCP1251)
    let found = try read(bytes, .named(charset("windows-1251")), name: "a.jsonl")
    #expect(found.texts == [String(Self.russian.dropLast())])
  }

  /// Bytes that mean nothing are counted, wherever a batch or a character is cut.
  @Test func whatMeansNothingIsReplacedAndCounted() throws {
    let japanese = try encoded(Self.japanese, .japaneseEUC)
    let bytes = japanese + [0xff, 0x41, 0x0a] + japanese + [0xa4]
    for batchBytes in [3, 50, 1 << 20] {
      let found = try read(bytes, .named(charset("euc-jp")), batchBytes: batchBytes)
      let line = String(Self.japanese.dropLast())
      #expect(found.texts == [line, "\u{fffd}A", line, "\u{fffd}"])
      #expect(found.counts.count("invalid_characters_replaced") == 2)
    }
    let odd = try read([0x61, 0, 0x00, 0xd8, 0x62, 0, 0x63], .named(charset("utf-16le")))
    #expect(odd.texts == ["a\u{fffd}b\u{fffd}"])
  }

  @Test func recordsDecideForThemselves() throws {
    var file = WARCBuilder()
    file.record(
      "resource", ["Content-Type: text/plain"], try encoded(Self.russian + Self.russian, .windowsCP1251))
    file.record("resource", ["Content-Type: text/plain"], Array(Self.japanese.utf8))
    file.record(
      "resource", ["Content-Type: text/plain"], [0xff, 0xfe] + (try encoded("a", .utf16LittleEndian)))
    file.response("text/plain; charset=koi8-r", try encoded(Self.russian, .init(rawValue: 0x8000_0a02)))
    let found = try read(file.bytes, .automatic, name: "a.warc")
    #expect(found.texts == [Self.russian + Self.russian, Self.japanese, "a", Self.russian])
    for name in ["windows_1251", "utf_8", "utf_16le", "koi8_r"] {
      #expect(found.counts.count("charset_" + name) == 1)
    }
  }

  @Test func invalidTextPolicies() throws {
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
      #expect(found.texts == ["one", "three"] && found.counts.count("documents_invalid") == 1, "\(name)")
      options.invalid = .error
      let failure = #expect(throws: Failure.self) { try ReadDocuments([path], options) }
      #expect(
        failure?.kind == .badInput && failure?.line != nil && failure?.remedy?.contains("--invalid") == true)
    }
  }

  @Test func unknownNamesAreRefused() {
    #expect(
      Charset("klingon-7") == nil && Charset("") == nil && Charset(String(repeating: "x", count: 100)) == nil)
    #expect(Charset("latin1")?.name == "iso-8859-1" && Charset("CP1252")?.name == "windows-1252")
    #expect(Charset.names.count > 100)
  }
}
