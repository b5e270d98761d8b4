import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// Documents that are exactly as long as the limit, and other edges of reading.
@Suite(.timeLimit(.minutes(60))) struct ReadingLimitsTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func read(_ bytes: [UInt8], _ options: ReaderOptions = ReaderOptions(), name: String = "in.txt")
    throws
    -> ReadDocuments
  { try ReadDocuments([scratch.write("\(UUID().uuidString)/\(name)", bytes)], options) }

  private func read(_ text: String, _ options: ReaderOptions = ReaderOptions(), name: String = "in.txt")
    throws
    -> ReadDocuments
  { try read(Array(text.utf8), options, name: name) }

  /// With blocks of all sizes, so that the end of a document comes at every place.
  @Test func aDocumentOfExactlyTheLimitIsRead() throws {
    let exact = String(repeating: "x", count: 50)
    for batch in [1, 5, 10, 16, 25, 49, 50, 51, 52, 100, 1000] {
      for splitting in [DocumentSplitting.line, .paragraph, .file] {
        let options = ReaderOptions(splitting: splitting, longestDocument: 50, batchBytes: batch)
        for end in splitting == .file ? [""] : ["\n", "\r\n", "\n\n", "\r\n\r\n", ""] {
          let what = Comment("\(splitting), \(batch), \(end.debugDescription)")
          let found = try read(exact + end, options)
          #expect(found.texts.first == exact && found.counts.count(.documentsTooLong) == 0, what)
          let long = try read(exact + "y" + end, options)
          #expect(long.texts.allSatisfy(\.isEmpty) && long.counts.count(.documentsTooLong) == 1, what)
        }
      }
      let lines = try read(
        "a\n\(exact)\n\(exact)y\nb\n", ReaderOptions(longestDocument: 50, batchBytes: batch))
      #expect(lines.texts == ["a", exact, "b"] && lines.lines == [1, 2, 4], "\(batch)")
    }
  }

  @Test func aRecordOfExactlyTheLimitIsRead() throws {
    for (length, isRead) in [(500, true), (501, false)] {
      var file = WARCBuilder()
      file.record("conversion", [], String(repeating: "x", count: length))
      file.record("conversion", [], "next")
      let found = try read(file.bytes, ReaderOptions(longestDocument: 500), name: "in.warc")
      #expect(found.texts.map(\.count) == (isRead ? [length, 4] : [4]))
      #expect(found.counts.count(.documentsTooLong) == (isRead ? 0 : 1))
    }
  }

  /// Only a version line at the beginning of a line, with a field after it, begins a record.
  @Test func aVersionInTheMiddleOfALineIsText() throws {
    let text = "they wrote WARC/1.0\r\nand: more"
    var file = WARCBuilder()
    file.record("conversion", [], text, length: "3")
    file.record("conversion", [], "next")
    let found = try read(file.bytes, name: "in.warc")
    #expect(found.texts == [text, "next"] && found.counts.count(.warcLengthsWrong) == 1)
  }

  @Test(arguments: ["-5", "+4", "4 ", "0x4", "4.0", "", "99999999999999999999999"])
  func aLengthThatIsNoNumberIsMissing(length: String) throws {
    var file = WARCBuilder()
    file.record("conversion", [], "text", length: length)
    file.record("conversion", [], "next")
    let found = try read(file.bytes, name: "in.warc")
    #expect(found.texts == ["text", "next"])
    // White space around a value does not count.
    #expect(found.counts.count(.warcLengthsWrong) == (length == "4 " ? 0 : 1))
  }

  /// In blocks so small that each damage is met in another one.
  @Test func aFileThatIsDamagedTwiceCountsOnce() throws {
    var random = RandomGenerator(seed: 1)
    func member(isDamaged: Bool) -> [UInt8] {
      var bytes = Gzip.compress(
        (0..<5000).map { _ in random.below(40) == 0 ? 0x0a : UInt8(97 + random.below(26)) })
      if isDamaged { bytes[bytes.count / 2] ^= 0xff }
      return bytes
    }
    let bytes = [false, true, false, true, false].flatMap { member(isDamaged: $0) }
    let found = try read(bytes, ReaderOptions(batchBytes: 500), name: "in.txt.gz")
    #expect(found.counts.count(CountName("gzip_members_damaged")) == 2)
    #expect(found.counts.count(.inputsDamaged) == 1)
  }

  /// A second pass over the inputs finds out that two of them have changed places.
  @Test func digestsTellTheFilesApart() throws {
    let paths = try ["a", "b"].map { try scratch.write($0, "the same text\n") }
    let reader = try DocumentReader(inputs: paths)
    var digests: [UInt64] = []
    while let block = try reader.nextBlock() { digests.append(block.digest) }
    #expect(digests.count == 2 && digests[0] != digests[1])
  }

  /// Where the first line begins like an object and is none, the other lines decide.
  @Test func aDrawOfLinesIsText() throws {
    let (object, other) = (#"{"text":"a"}"#, "{no object")
    #expect(try read("\(other)\n\(object)\n", name: "in").texts == [other, object])
    let found = try read("\(other)\n\(object)\n\(object)\n", name: "in")
    #expect(found.texts == ["a", "a"] && found.counts.count(.jsonLinesBroken) == 1)
  }

  /// Sixteen lines decide, of which the first ones may be of the other kind.
  @Test func sixteenLinesDecide() throws {
    let (object, other) = (#"{"text":"a"}"#, "{no object")
    let lines = Array(repeating: other, count: 6) + Array(repeating: object, count: 10)
    #expect(try read(lines.joined(separator: "\n"), name: "in").texts == Array(repeating: "a", count: 10))
    let most = lines + Array(repeating: other, count: 100)
    #expect(try read(most.joined(separator: "\n"), name: "in").texts.count == 10)
  }

  @Test func oneSlashBeginsNoComment() throws {
    let lines = ["/usr/bin", #"{"text":"a"}"#, #"{"text":"b"}"#]
    #expect(try read(lines.joined(separator: "\n"), name: "in").texts == lines)
  }

  /// UTF-8 that is declared and is none says nothing about the character set.
  @Test func textThatIsNotTheUTF8ThatItSaysIsDetected() throws {
    let text = "Le caf\u{e9} est ferm\u{e9} \u{e0} midi, d\u{e9}j\u{e0} l'\u{e9}t\u{e9} est pass\u{e9}."
    var file = WARCBuilder()
    file.response("text/plain; charset=utf-8", text.unicodeScalars.map { UInt8($0.value) })
    let found = try read(file.bytes, ReaderOptions(encoding: .automatic), name: "in.warc")
    #expect(found.texts == [text] && found.counts.count(.invalidUTF8Replaced) == 0)
  }

  /// ICU does not know Thai.
  @Test func thaiIsDetected() throws {
    let text = "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอนหรือวรรณยุกต์เช่นเดียวกับภาษาจีน"
    let bytes = text.unicodeScalars.map { UInt8($0.value - 0xe00 + 0xa0) }
    let found = try read(bytes, ReaderOptions(encoding: .automatic))
    #expect(found.texts == [text] && found.counts.count(CountName("charset_windows_874")) == 1)
  }

  /// The first and last characters of each length in UTF-8, and pairs of surrogates at every place of a buffer.
  @Test func utf16BecomesUTF8() throws {
    let borders = [0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0x10000, 0x10ffff] as [UInt32]
    var text = String(String.UnicodeScalarView(borders.map { Unicode.Scalar($0)! }))
    text += "\n" + String(repeating: "😀", count: 9000) + "\na" + String(repeating: "😀", count: 9000)
    let bytes: [UInt8] = [0xff, 0xfe] + text.utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
    let found = try read(bytes)
    #expect(found.texts.joined(separator: "\n") == text)
    #expect(found.counts.count(.invalidCharactersReplaced) == 0)
    // Half a pair at the end is no character.
    let cut = try read(bytes + [0x3d, 0xd8])
    #expect(
      cut.texts.last?.hasSuffix("😀\u{fffd}") == true && cut.counts.count(.invalidCharactersReplaced) == 1)
  }
}
