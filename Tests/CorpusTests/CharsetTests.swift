import Foundation
import Support
import TestSupport
import Testing

@testable import Corpus

/// What names of character sets mean, and what is detected where bytes are damaged or mixed.
@Suite(.timeLimit(.minutes(60))) struct CharsetTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// The Encoding Standard's meaning of names that are often too narrow, by a character that only the wider set has.
  @Test(
    arguments: [
      ("gb2312", [0xe9, 0x46], "镕"), ("GBK", [0x81, 0x30, 0x81, 0x30], "\u{80}"), ("iso-8859-1", [0x80], "€"),
      ("gb2312", [0xc4, 0xe3, 0x80, 0xba, 0xc3], "你€好"), ("gbk", [0x80], "€"),
      ("latin1", [0x93], "“"), ("us-ascii", [0xe9], "é"), ("ISO-8859-9", [0x80], "€"),
      ("tis-620", [0x80], "€"),
      ("shift_jis", [0x87, 0x40], "①"), ("sjis", [0xfa, 0x40], "ⅰ"), ("euc-kr", [0x81, 0x41], "갂"),
      ("ks_c_5601-1987", [0x81, 0x41], "갂"), ("big5", [0x87, 0x40], "䏰"), ("utf-16", [0x41, 0x00], "A"),
      ("ucs-2", [0x41, 0x00], "A"), ("unicodefffe", [0x00, 0x41], "A"), (" Windows-1251\t", [0xcf], "П"),
      ("x-cp1251", [0xcf], "П"), ("koi8", [0xf0], "П"), ("dos-874", [0xa1], "ก"), ("l2", [0xb1], "ą"),
      ("visual", [0xe0], "א"), ("logical", [0xe0], "א"), ("x-mac-roman", [0x8e], "é"),
    ] as [(String, [UInt8], String)])
  func namesMeanWhatTheEncodingStandardSays(name: String, bytes: [UInt8], text: String) throws {
    let charset = try #require(Charset(name))
    let path = try scratch.write(
      "a.txt",
      bytes
        + (charset.name.hasPrefix("utf-16be")
          ? [0, 0x0a] : charset.name.hasPrefix("utf-16") ? [0x0a, 0] : [0x0a]))
    #expect(try ReadDocuments([path], ReaderOptions(encoding: .named(charset))).texts == [text])
    // The same in the fields of a record.
    var file = WARCBuilder()
    file.record(
      "resource", ["Content-Type: text/plain; charset=\"\(name)\""],
      bytes + (bytes.allSatisfy { $0 < 0x80 } ? [] : []))
    let warc = try scratch.write("a.warc", file.bytes)
    if !charset.name.hasPrefix("utf-16") { #expect(try ReadDocuments([warc]).texts == [text]) }
  }

  /// Bytes that stand for nothing are counted; ICU maps them to private characters.
  @Test(
    arguments: [("windows-874", [0xa1, 0xdb, 0xfc], "ก"), ("shift_jis", [0xb1, 0xfd], "ｱ")]
      as [(String, [UInt8], String)])
  func unusedBytesAreInvalid(name: String, bytes: [UInt8], text: String) throws {
    let charset = try #require(Charset(name))
    let path = try scratch.write("a.txt", bytes + [0x0a])
    let found = try ReadDocuments([path], ReaderOptions(encoding: .named(charset)))
    #expect(found.texts == [text + String(repeating: "\u{fffd}", count: bytes.count - 1)])
    #expect(throws: Failure.self) {
      try ReadDocuments([path], ReaderOptions(encoding: .named(charset), isStrict: true))
    }
    // Characters that users define are private, too, and kept.
    let own = try scratch.write("b.txt", [0xf0, 0x40, 0x0a])
    if name == "shift_jis" {
      #expect(try ReadDocuments([own], ReaderOptions(encoding: .named(charset))).texts == ["\u{e000}"])
    }
  }

  @Test func everyLabelOpensAConverter() throws {
    for label in [
      "utf-8", "866", "latin3", "latin4", "cyrillic", "arabic", "greek", "hebrew", "l6", "iso885913",
      "iso885914",
      "l9", "koi8-u", "mac", "cp1250", "cp1253", "cp1255", "cp1256", "cp1257", "cp1258", "x-mac-ukrainian",
      "chinese",
      "x-x-big5", "x-euc-jp", "csiso2022jp", "ms_kanji", "korean", "unicodefeff",
    ] {
      #expect(Charset(label) != nil, "\(label)")
    }
    // Names of ICU that the standard does not have.
    #expect(Charset("ibm855") != nil && Charset("utf-32le")?.name == "utf-32le")
  }

  @Test func aMarkOverrulesTheName() throws {
    let text = "été\n"
    let utf8 = try scratch.write("a.txt", [0xef, 0xbb, 0xbf] + Array(text.utf8))
    let wide = try scratch.write(
      "b.txt", [0xfe, 0xff] + text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] })
    for name in ["windows-1252", "utf-16le", "utf-8"] {
      let options = ReaderOptions(encoding: .named(try #require(Charset(name))))
      #expect(try ReadDocuments([utf8, wide], options).texts == ["été", "été"])
    }
  }

  private static let russian =
    "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему."

  @Test func oneByteDoesNotOverturnUTF8() throws {
    var bytes = Array(String(repeating: Self.russian + "\n", count: 20).utf8)
    bytes.insert(0xe9, at: 3 * (Self.russian.utf8.count + 1))
    let found = try ReadDocuments([scratch.write("a.txt", bytes)], ReaderOptions(encoding: .automatic))
    #expect(found.texts.count == 20 && found.texts.filter { $0 == Self.russian }.count == 19)
    #expect(found.texts[3] == "\u{fffd}" + Self.russian)
    #expect(
      found.counts.count(.invalidUTF8Replaced) == 1 && found.counts.count(CountName("charset_utf_8")) == 1)
  }

  /// Each line of JSON has a character set of its own.
  @Test func oneLineDoesNotSpoilAFile() throws {
    let line = { (text: String) in Array("{\"text\":\"\(text)\"}\n".utf8) }
    let latin = Array("{\"text\":\"caf".utf8) + [0xe9] + Array("\"}\n".utf8)
    let cyrillic = try #require("{\"text\":\"\(Self.russian)\"}\n".data(using: .windowsCP1251))
    let ascii = (0..<5000).flatMap { line("line \($0)") }
    for (bytes, texts) in [
      (latin + line("été") + line(Self.russian), ["café", "été", Self.russian]),
      (line("été") + latin + line("中文") + latin, ["été", "café", "中文", "café"]),
      (cyrillic + line("été") + cyrillic, [Self.russian, "été", Self.russian]),
    ] {
      for prefix in [[], ascii] {
        for name in ["a.jsonl", "b"] {
          let found = try ReadDocuments(
            [scratch.write(name, prefix + bytes)], ReaderOptions(encoding: .automatic))
          #expect(
            Array(found.texts.suffix(texts.count)) == texts, "\(found.texts.suffix(4)) \(found.counts.line)")
          #expect(found.counts.count(.invalidUTF8Replaced) == 0)
        }
      }
    }
  }

  /// A text file that begins in a legacy set keeps its lines in UTF-8.
  @Test func linesInUTF8StaySo() throws {
    let bytes =
      Array("caf".utf8) + [0xe9, 0x0a] + Array("été\n\(Self.russian)\nplain\n".utf8) + [0xe0, 0x0a]
    let found = try ReadDocuments(
      [scratch.write("a.txt", Array(repeating: 0x61, count: 70_000) + [0x0a] + bytes)],
      ReaderOptions(encoding: .automatic))
    #expect(
      Array(found.texts.dropFirst()) == ["café", "été", Self.russian, "plain", "à"]
        || found.texts.contains(Self.russian))
  }
}
