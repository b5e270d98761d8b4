import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// Builds a WARC file.
struct WARCBuilder {
  var bytes: [UInt8] = []

  /// Appends a record. A nil length means the true length. `fields` come before the length.
  mutating func record(
    _ type: String, _ fields: [String] = [], _ content: [UInt8], length: String? = nil,
    version: String = "1.0",
    lineEnd: String = "\r\n"
  ) {
    let lines =
      ["WARC/\(version)", "WARC-Type: \(type)"] + fields + ["Content-Length: \(length ?? "\(content.count)")"]
    bytes += (lines.joined(separator: lineEnd) + lineEnd + lineEnd).utf8
    bytes += content
    bytes += (lineEnd + lineEnd).utf8
  }

  mutating func record(_ type: String, _ fields: [String] = [], _ content: String, length: String? = nil) {
    record(type, fields, Array(content.utf8), length: length)
  }

  mutating func response(_ type: String, _ body: [UInt8], _ head: [String] = []) {
    let lines = ["HTTP/1.1 200 OK", "Content-Type: \(type)"] + head
    record(
      "response", ["Content-Type: application/http; msgtype=response"],
      Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body)
  }
}

@Suite(.timeLimit(.minutes(60))) struct DocumentWARCTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func read(_ file: WARCBuilder, _ options: ReaderOptions = ReaderOptions(), name: String = "a")
    throws
    -> ReadDocuments
  { try ReadDocuments([scratch.write(name, file.bytes)], options) }

  private func lines(_ file: WARCBuilder, _ options: ReaderOptions = ReaderOptions()) throws -> [String] {
    let reader = try DocumentReader(inputs: [scratch.write("a", file.bytes)], options: options)
    var out: [UInt8] = []
    var counts = Summary()
    while let batch = try reader.next() { out += DocumentRenderer().render(batch, counts: &counts) }
    return String(decoding: out, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test func conversionRecordsBecomeDocumentsWithFields() throws {
    var file = WARCBuilder()
    file.record("warcinfo", ["Content-Type: application/warc-fields"], "isPartOf: nothing\r\n\r\n")
    file.record(
      "conversion",
      [
        "WARC-Target-URI: https://example.org/\"a\"", "WARC-Date: 2024-05-18T01:58:10Z",
        "WARC-Record-ID: <urn:uuid:1>",
        "WARC-Identified-Content-Language: spa,eng", "Content-Type: text/plain",
      ], "Buenos días\nWARC/1.0\r\nnot a record\n")
    file.record("conversion", ["warc-target-uri:  <http://b>", "Unknown: x", "WARC-DATE:"], "")
    let found = try lines(file)
    #expect(
      found == [
        #"{"text":"Buenos días\nWARC/1.0\r\nnot a record\n","url":"https://example.org/\"a\"","date":"2024-05-18T01:58:10Z","id":"<urn:uuid:1>","language":"spa,eng"}"#,
        #"{"text":"","url":"http://b"}"#,
      ])
    let read = try read(file)
    #expect(read.lines == [10, 24])
    #expect(
      read.counts.count(.warcRecords) == 3
        && read.counts.count(CountName("warc_records_skipped_warcinfo")) == 1)
    #expect(read.counts.count(.warcLengthsWrong) == 0)
  }

  @Test func readsOnlyPlainText() throws {
    var file = WARCBuilder()
    file.response("text/html; charset=utf-8", Array("<p>".utf8))
    file.response("application/xhtml+xml", Array("<p/>".utf8))
    file.response("text/plain", Array("plain".utf8))
    file.response("application/json", Array("{}".utf8))
    file.record("resource", ["Content-Type: text/plain"], "resource")
    file.record("resource", ["Content-Type: image/png"], "png")
    file.record(
      "response", ["Content-Type: application/http"],
      "HTTP/1.1 404 No\r\nContent-Type: text/plain\r\n\r\ngone")
    file.record("response", ["Content-Type: application/http"], "no head")
    file.record("response", ["Content-Type: text/dns"], "dns")
    for type in ["request", "metadata", "revisit", "continuation", "new"] { file.record(type, [], "x") }
    let found = try read(file)
    #expect(found.texts == ["plain", "resource"])
    let skipped = found.counts.entries.filter { $0.name.rawValue.hasPrefix("warc_records_skipped_") }
    #expect(skipped.reduce(0) { $0 + found.counts.count($1.name) } == found.counts.count(.warcRecords) - 2)
    for (name, count) in [
      ("html", 2), ("json", 1), ("image", 1), ("http_errors", 1), ("broken_http", 1), ("other", 1),
      ("request", 1),
      ("metadata", 1), ("revisit", 1), ("continuation", 1), ("unknown", 1),
    ] {
      #expect(found.counts.count(CountName("warc_records_skipped_" + name)) == count, "\(name)")
    }
  }

  /// Nobody can tell whether it has text, so it is no kind of record that is skipped by a rule.
  @Test func aResponseWithoutAHeadIsALoss() throws {
    for (body, isLoss) in [
      ("no head", true), ("ICY 200 OK\r\nContent-Type: text/plain\r\n\r\ntext", true), ("", false),
    ] {
      var file = WARCBuilder()
      file.record("conversion", ["Content-Type: text/plain"], "plain")
      file.record("response", ["Content-Type: application/http"], body)
      let found = try read(file)
      #expect(found.texts == ["plain"])
      #expect(found.counts.count(CountName("warc_records_skipped_broken_http")) == 1)
      if isLoss {
        let failure = #expect(throws: Failure.self) { try read(file, ReaderOptions(isStrict: true)) }
        #expect(failure?.kind == .badInput)
      } else {
        #expect(try read(file, ReaderOptions(isStrict: true)).texts == ["plain"])
      }
    }
  }

  /// The final response counts, whatever interim ones the crawler has stored before it.
  @Test func passesOverInterimResponses() throws {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n"
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Type: text/html\r\n\r\n"
    let final = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nsee"
    let type = ["Content-Type: application/http; msgtype=response"]
    for head in [interim, hints, interim + hints, interim + interim] {
      var file = WARCBuilder()
      file.record("response", type, head + final)
      #expect(try lines(file).map { $0.prefix(13) } == ["{\"text\":\"see\""], "\(head)")
    }
    // Alone it is no page, and what it stands before in the text is not one either.
    for content in [interim, interim + "see", "HTTP/1.1 101 Switching Protocols\r\n\r\n" + final] {
      var file = WARCBuilder()
      file.record("response", type, content)
      #expect(try lines(file).isEmpty, "\(content)")
    }
  }

  @Test func decodesHTTPResponses() throws {
    var file = WARCBuilder()
    let zipped = Gzip.compress(Array("zipped text".utf8))
    file.response("text/plain", zipped, ["Content-Encoding: gzip"])
    // Declared as windows-1252.
    file.response("text/plain; charset=\"ISO-8859-1\"", [0x63, 0x61, 0x66, 0xe9, 0x20, 0x93])
    file.response("text/plain; charset=nonsense", [0x63, 0xe9])
    let found = try read(file)
    #expect(
      found.texts == ["zipped text", "café “", "c\u{fffd}"])
    #expect(
      found.counts.count(CountName("charset_windows_1252")) == 1
        && found.counts.count(.invalidUTF8Replaced) == 1)
  }

  @Test func acceptsFoldedAndOldHeadersWithBareLineFeeds() throws {
    var file = WARCBuilder()
    file.record(
      "conversion", ["WARC-Target-URI: http://a", "\t/b", "no colon here", "CONTENT-TYPE: text/plain"],
      Array("one\n".utf8), version: "1.1", lineEnd: "\n")
    file.record("conversion", [], Array("two".utf8), version: "0.18", lineEnd: "\n")
    file.record("conversion", [], Array("three".utf8))
    for version in ["0.9", "0.17", "0.18", "1.0", "1.1", "12.345"] {
      let old = WARCBuilder(
        bytes: Array(String(decoding: file.bytes, as: UTF8.self).replacing("0.18", with: version).utf8))
      #expect(try lines(old).first == #"{"text":"one\n","url":"http://a /b"}"#)
      #expect(try read(old).texts == ["one\n", "two", "three"])
      #expect(try read(old).counts.count(.warcLengthsWrong) == 0)
    }
  }

  @Test(arguments: ["3", "400", "99999999999", "x", "-1", "", "18446744073709551616"])
  func findsTheEndOfRecordsWithWrongLengths(length: String) throws {
    var file = WARCBuilder()
    file.record("conversion", [], "before")
    file.record("conversion", [], "some text\r\n\r\nand more", length: length)
    for number in 0..<20 { file.record("conversion", [], "after \(number)") }
    for batchBytes in [64, 300, 1 << 20] {
      let found = try read(file, ReaderOptions(batchBytes: batchBytes))
      #expect(found.texts == ["before", "some text\r\n\r\nand more"] + (0..<20).map { "after \($0)" })
      #expect(found.counts.count(.warcLengthsWrong) == 1)
    }
    let failure = #expect(throws: Failure.self) { try read(file, ReaderOptions(isStrict: true)) }
    #expect(failure?.kind == .badInput && failure?.line == 7)
  }

  @Test func toleratesExtraAndMissingLineEnds() throws {
    var file = WARCBuilder()
    file.record("conversion", [], "one", length: "5")
    file.bytes += [0x0d, 0x0a]
    file.record("conversion", [], "two")
    let found = try read(file)
    #expect(found.texts == ["one\r\n", "two"] && found.counts.count(.warcLengthsWrong) == 0)
  }

  @Test func skipsAndCountsForeignBytes() throws {
    var file = WARCBuilder(bytes: Array("junk\nWARC/1.0\nis no record\n".utf8))
    file.record("conversion", [], "one")
    file.bytes += Array(repeating: 0x5a, count: 3000)
    file.bytes.append(0x0a)
    file.record("conversion", [], "two")
    for batchBytes in [50, 1 << 20] {
      let found = try read(file, ReaderOptions(format: .warc, batchBytes: batchBytes))
      #expect(found.texts == ["one", "two"] && found.counts.count(.warcLengthsWrong) == 0)
      #expect(found.counts.count(.warcBytesSkipped) == 27 + 3001)
    }
    let failure = #expect(throws: Failure.self) {
      try read(file, ReaderOptions(format: .warc, isStrict: true))
    }
    #expect(failure?.message.contains("belong to no WARC record") == true)
  }

  /// Neither the longest foreign line nor a record without an end hides the next record.
  @Test(arguments: [300, 1 << 16]) func findsTheRecordBehindALongForeignLine(batchBytes: Int) throws {
    var file = WARCBuilder()
    file.record("conversion", [], "one")
    file.bytes += Array(repeating: UInt8(ascii: "W"), count: 300_000)
    file.bytes += Array("WARC/1.0\r\nX: y\r\n\r\n\n".utf8)
    file.record("conversion", [], "two")
    let long = String(repeating: "long line\n", count: 1000)
    file.record("conversion", [], long, length: "x")
    file.record("conversion", [], "three")
    // Longer than anything that follows: the record behind it ends it.
    file.record("conversion", [], long, length: "99999999")
    file.record("conversion", [], "four")
    let path = scratch.path("a.warc.zst")
    let output = try OutputFile(path)
    try output.write(file.bytes)
    try output.finish()
    let found = try ReadDocuments([path], ReaderOptions(longestDocument: 5000, batchBytes: batchBytes))
    #expect(found.texts == ["one", "two", "three", "four"])
    #expect(found.counts.count(.documentsTooLong) == 2)
  }

  @Test func readsTruncatedRecordsToTheirEnd() throws {
    var file = WARCBuilder()
    file.record("conversion", ["WARC-Truncated: length"], "one")
    file.record("conversion", [], "two and a half")
    file.bytes.removeLast(9)
    // Compressed, so that the length of the file is unknown.
    let path = scratch.path("a.warc.zst")
    let output = try OutputFile(path)
    try output.write(file.bytes)
    try output.finish()
    let found = try ReadDocuments([path])
    #expect(found.texts == ["one", "two and a"])
    #expect(found.counts.count(.warcRecordsTruncated) == 1)
    #expect(found.counts.count(.warcRecordsMarkedTruncated) == 1)
    #expect(try read(file).texts == ["one", "two and a"])
  }

  @Test func skipsLongRecords() throws {
    var file = WARCBuilder()
    file.record("conversion", [], "one")
    file.record("conversion", [], String(repeating: "long line\n", count: 1000))
    file.record("conversion", [], "two")
    for batchBytes in [128, 1 << 20] {
      let found = try read(file, ReaderOptions(longestDocument: 5000, batchBytes: batchBytes))
      #expect(found.texts == ["one", "two"] && found.counts.count(.documentsTooLong) == 1)
      #expect(found.lines == [1, 1013])
    }
  }

  @Test func resultDoesNotDependOnBatchSize() throws {
    var random = RandomGenerator(seed: 5)
    for round in 0..<60 {
      var file = WARCBuilder()
      for number in 0..<random.below(12) {
        let type = ["conversion", "request", "resource", "response"][random.below(4)]
        let length = random.below(9) == 0 ? "\(random.below(200))" : nil
        let text = (0..<random.below(40)).map { _ in
          ["a", "\n", "\r\n", "WARC/1.0\r\n", "é"][random.below(5)]
        }
        file.record(
          type, ["Content-Type: text/plain", "WARC-Record-ID: \(number)"], text.joined(), length: length)
        if random.below(9) == 0 { file.bytes.removeLast(random.below(8)) }
      }
      let whole = try read(file, ReaderOptions(format: .warc))
      for _ in 0..<4 {
        let small = try read(file, ReaderOptions(format: .warc, batchBytes: 1 + random.below(300)))
        #expect(small.texts == whole.texts && small.lines == whole.lines, "round \(round)")
        for name in [CountName.warcRecords, .warcLengthsWrong, .warcBytesSkipped] {
          #expect(small.counts.count(name) == whole.counts.count(name), "\(name), round \(round)")
        }
      }
    }
  }

  /// Each is counted, and each keeps what comes before the damage, whatever the neighbours are.
  @Test(arguments: ["gz", "zst"]) func countsDamagedMembersInARow(suffix: String) throws {
    func member(_ number: Int, isDamaged: Bool) throws -> [UInt8] {
      var file = WARCBuilder()
      file.record("conversion", [], String(repeating: "document \(number) ", count: 40))
      var bytes = try scratch.compressed(file.bytes, as: "member.\(suffix)")
      if isDamaged && suffix == "gz" { bytes[bytes.count - 20] ^= 0xff }
      // The first block gets the reserved type.
      if isDamaged && suffix == "zst" { bytes[Self.zstdHeader(of: bytes)] |= 6 }
      return bytes
    }
    for pattern in ["011010", "111111", "100001", "0110", "1"] {
      let members = try pattern.enumerated().map { try member($0.offset, isDamaged: $0.element == "1") }
      let damaged = pattern.count { $0 == "1" }
      let path = try scratch.write("a.warc.\(suffix)", Array(members.joined()))
      let found = try ReadDocuments([path])
      let name = suffix == "gz" ? "gzip_members_damaged" : "zstd_frames_damaged"
      #expect(found.counts.count(CountName(name)) == damaged, "\(pattern)")
      #expect(found.counts.count(.inputsDamaged) == 1)
      let whole = Set(found.texts)
      for (number, isDamaged) in pattern.enumerated() where isDamaged == "0" {
        #expect(whole.contains(String(repeating: "document \(number) ", count: 40)), "\(pattern), \(number)")
      }
    }
  }

  /// The length of the header of a frame without a dictionary (RFC 8878, section 3.1.1.1).
  private static func zstdHeader(of frame: [UInt8]) -> Int {
    let isSingleSegment = frame[4] & 0x20 != 0
    return 5 + (isSingleSegment ? 0 : 1) + [isSingleSegment ? 1 : 0, 2, 4, 8][Int(frame[4] >> 6)]
  }

  /// As archivists compress crawls: the dictionary comes first, in a skippable frame.
  @Test(arguments: ["dictionary.warc.zst", "dictionary-packed.warc.zst"])
  func readsZstdWithADictionaryInTheFile(name: String) throws {
    let expected = (0..<3).map { "document \($0)".replacing(" ", with: " 0") }
    let bytes = try Data(contentsOf: URL(fileURLWithPath: fixtures.path(name)))
    let found = try ReadDocuments([scratch.write("a.warc.zst", Array(bytes))], ReaderOptions(isStrict: true))
    #expect(found.texts == expected)
    // Two such files, one after the other.
    #expect(
      try ReadDocuments([scratch.write("b.warc.zst", Array(bytes + bytes))]).texts == expected + expected)
    // Without its dictionary every frame says what is missing.
    let size = bytes[4..<8].reversed().reduce(0) { $0 << 8 + Int($1) }
    let bare = try scratch.write("c.warc.zst", Array(bytes.dropFirst(8 + size)))
    let failure = #expect(throws: Failure.self) { try ReadDocuments([bare], ReaderOptions(isStrict: true)) }
    #expect(failure?.message.contains("needs a dictionary") == true)
    #expect(try ReadDocuments([bare]).counts.count(CountName("zstd_frames_damaged")) == 3)
    for length in stride(from: 0, to: bytes.count, by: 37) {
      let cut = try ReadDocuments([scratch.write("d.warc.zst", Array(bytes.prefix(length)))])
      #expect(expected.starts(with: cut.texts.filter { $0.count == 11 }))
    }
  }

  @Test func losesOnlyTheDamagedMember() throws {
    var members: [[UInt8]] = []
    for number in 0..<6 {
      var file = WARCBuilder()
      var random = RandomGenerator(seed: UInt64(number))
      let text = (0..<20_000).map { _ in UInt8(97 + random.below(26)) }
      file.record("conversion", ["WARC-Record-ID: \(number)"], text)
      members.append(Gzip.compress(file.bytes))
    }
    for index in 3000..<3040 { members[2][index] ^= 0x55 }
    members[4].removeLast(5000)
    let path = try scratch.write("a.warc.gz", Array(members.joined()))
    let found = try ReadDocuments([path])
    #expect(found.texts.count == 6 && found.texts.map(\.count).filter { $0 == 20_000 }.count == 4)
    #expect(
      found.counts.count(CountName("gzip_members_damaged")) == 2 && found.counts.count(.inputsDamaged) == 1)
    #expect(found.counts.count(.warcRecordsTruncated) == 2)
    let failure = #expect(throws: Failure.self) { try ReadDocuments([path], ReaderOptions(isStrict: true)) }
    #expect(failure?.kind == .badInput && failure!.offset! >= members[0].count + members[1].count)
  }
}
