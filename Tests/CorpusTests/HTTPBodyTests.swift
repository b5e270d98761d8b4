import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// The bodies of HTTP responses in WARC records: the text that is read, and what is counted.
@Suite(.timeLimit(.minutes(60))) struct HTTPBodyTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let text = "The quick brown fox jumps over the lazy dog, and the dog sleeps on.\n"
  private static let chunked = "Transfer-Encoding: chunked"

  // The text as Python's gzip, zlib and brotli write it.
  private static let gzip = bytes(
    """
    1f8b08000000000002030bc94855282ccd4cce56482aca2fcf5348cbaf50c82acd2d2856c82f4b2d5228014ae72456552aa4e4a7eb2824e6a5\
    8045801c85e29cd45490aa3c3d2e006be921ea44000000
    """)
  private static let zlib = bytes(
    """
    78da0bc94855282ccd4cce56482aca2fcf5348cbaf50c82acd2d2856c82f4b2d5228014ae72456552aa4e4a7eb2824e6a58045801c85e29cd4\
    5490aa3c3d2e00516517f5
    """)
  private static let deflate = Array(zlib.dropFirst(2).dropLast(4))
  private static let brotli = bytes(
    """
    1b4300881c07b9c9f436b746ad7c64844a4f052a37d083a5ba90d4e4089a827c630b738c03e65be01adf06a0b3115ae509866b251c4f94b01c\
    3480d3fde1b20f8c594ade00
    """)
  /// Brotli around gzip.
  private static let gzipInBrotli = [0x8b, 0x27, 0x80] as [UInt8] + gzip + [0x03]
  private static let zstd =
    bytes(
      "28b52ffd204421020054686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672c"
    )
    + bytes("20616e642074686520646f6720736c65657073206f6e2e0a")

  private static func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = Array(hexadecimal)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...($0 + 1)]), radix: 16)! }
  }

  /// The text of a response, and the names of what was counted about its body.
  private func read(_ body: [UInt8], _ head: [String], _ options: ReaderOptions = ReaderOptions()) throws
    -> (text: String?, counts: [String])
  {
    var file = WARCBuilder()
    file.response("text/plain", body, head)
    let found = try ReadDocuments([scratch.write("a.warc", file.bytes)], options)
    let names = found.counts.entries.map(\.name.rawValue).filter {
      $0.hasPrefix("http_bodies") || $0.contains("unknown_coding") || $0 == "documents_too_long"
    }
    return (found.texts.first, names)
  }

  private func expect(
    _ text: String?, _ counts: [String] = [], of body: [UInt8], _ head: [String],
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let found = try read(body, head)
    #expect(found.text == text && found.counts == counts, "\(found)", sourceLocation: location)
    let isLoss = counts.contains { $0 != "http_bodies_decoded_before" }
    let strict = ReaderOptions(isStrict: true)
    if isLoss {
      let failure = #expect(throws: Failure.self, sourceLocation: location) { try read(body, head, strict) }
      #expect(failure?.kind == .badInput && failure?.line == 1, sourceLocation: location)
    } else {
      #expect(try read(body, head, strict).text == text, sourceLocation: location)
    }
  }

  private func expect(
    _ text: String?, _ counts: [String] = [], of body: String, _ head: [String],
    at location: SourceLocation = #_sourceLocation
  ) throws { try expect(text, counts, of: Array(body.utf8), head, at: location) }

  private let before = ["http_bodies_decoded_before"]
  private let damaged = ["http_bodies_damaged"]
  private let truncated = ["http_bodies_truncated"]

  @Test func joinsChunks() throws {
    for body in [
      "5\r\nfirst\r\n7\r\n second\r\n0\r\n\r\n", "5;a=b\r\nfirst\r\n7 ; c\r\n second\r\n0;d\r\n\r\n",
      "05  \r\nfirst\r\n0007\r\n second\r\n000\r\n\r\n",
      "c\r\nfirst second\r\n0\r\nX-Trailer: y\r\nZ: 1\r\n\r\n",
      "C\r\nfirst second\r\n0\r\n", "C\r\nfirst second\r\n0",
    ] {
      try expect("first second", of: body, [Self.chunked])
    }
    try expect("", of: "0\r\n\r\n", [Self.chunked])
    try expect("first", of: "5\r\nfirst\r\n0\r\n\r\n", ["transfer-encoding:  CHUNKED"])
  }

  /// The crawler joined the chunks but kept the header field.
  @Test(arguments: [
    "stored whole", "feed\nthe birds\n", "a\nb\n", "cafe au lait", "12\n", "0\nnothing", "\r\n5\r\nfirst",
    "32\nlines that end in LF\n0\n\n", "-5\r\nfirst", "ffffffffffffffffffff\r\nfirst", "5 6\r\nfirst\r\n",
  ]) func keepsBodiesThatWereJoinedBefore(body: String) throws {
    try expect(body, before, of: body, [Self.chunked])
  }

  @Test func keepsAllTextBehindABrokenChunk() throws {
    try expect(
      "Hello zz\r\nlost text\r\n0\r\n\r\n", damaged, of: "6\r\nHello \r\nzz\r\nlost text\r\n0\r\n\r\n",
      [Self.chunked])
    try expect(
      "Hello 9\r\nworld\r\n0\r\n\r\n", damaged, of: "6\r\nHello \r\n9\r\nworld\r\n0\r\n\r\n", [Self.chunked])
    // A first chunk that does not fit: perhaps it is none.
    for body in ["5\r\nHello World\r\n0\r\n\r\n", "20\r\nHello World\r\n0\r\n\r\n", "0\r\nabc"] {
      try expect(body, damaged, of: body, [Self.chunked])
    }
    try expect("Hello", damaged, of: "5\r\nHello\r\n0\r\n\r\nmore", [Self.chunked])
    try expect("Hello", truncated, of: "5\r\nHello\r\n", [Self.chunked])
    try expect("Hello", truncated, of: "5\r\nHello", [Self.chunked])
    try expect("Hello wor", truncated, of: "5\r\nHello\r\n6\r\n wor", [Self.chunked])
    try expect("Hello6", truncated, of: "5\r\nHello\r\n6", [Self.chunked])
  }

  @Test func knowsACutChunkInARecordThatIsMarkedTruncated() throws {
    var file = WARCBuilder()
    file.record(
      "response", ["WARC-Truncated: length", "Content-Type: application/http"],
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\(Self.chunked)\r\n\r\n1000\r\nThe beginning")
    let found = try ReadDocuments([scratch.write("a", file.bytes)])
    #expect(found.texts == ["The beginning"] && found.counts.count(CountName("http_bodies_truncated")) == 1)
  }

  @Test func undoesContentCodings() throws {
    for (coding, body) in [
      ("gzip", Self.gzip), ("x-gzip", Self.gzip), ("GZip", Self.gzip), ("deflate", Self.zlib),
      ("deflate", Self.deflate), ("deflate", Self.gzip), ("gzip", Self.zlib), ("br", Self.brotli),
      ("zstd", Self.zstd), ("gzip, br", Self.gzipInBrotli), ("identity, gzip", Self.gzip),
      ("gzip", Self.gzip + [0, 0, 0]),
    ] {
      try expect(Self.text, of: body, ["Content-Encoding: \(coding)"])
    }
    try expect(Self.text + Self.text, of: Self.gzip + Self.gzip, ["Content-Encoding: gzip"])
    try expect(Self.text, of: Self.gzipInBrotli, ["Content-Encoding: gzip", "Content-Encoding: br"])
    let chunks = Array("50\r\n".utf8) + Self.gzip + Array("\r\n0\r\n\r\n".utf8)
    try expect(Self.text, of: chunks, [Self.chunked, "Content-Encoding: gzip"])
    try expect(Self.text, of: chunks, ["Transfer-Encoding: gzip, chunked"])
    // One of two codings was undone before.
    try expect(Self.text, before, of: Self.gzip, [Self.chunked, "Content-Encoding: gzip"])
    try expect(Self.text, before, of: Self.gzip, ["Content-Encoding: gzip, br"])
    try expect(Self.text, before, of: Self.brotli, ["Content-Encoding: gzip, br"])
    try expect(Self.text, before, of: Self.gzip, ["Content-Encoding: gzip, gzip"])
  }

  @Test(arguments: ["gzip", "deflate", "br", "zstd", "gzip, br", "compress", "something"])
  func keepsBodiesThatWereDecodedBefore(coding: String) throws {
    for body in [Self.text, "x", "Été à la plage", "x^", ";"] {
      try expect(body, before, of: body, ["Content-Encoding: \(coding)"])
    }
    try expect("", of: "", ["Content-Encoding: \(coding)"])
  }

  @Test(arguments: ["identity", "none", "", "utf-8", " , "]) func namesOfNoCodingChangeNothing(coding: String)
    throws
  {
    try expect(Self.text, of: Self.text, ["Content-Encoding: \(coding)"])
  }

  @Test func countsBodiesInAnUnknownCoding() throws {
    let names = ["warc_records_skipped_unknown_coding"]
    try expect(nil, names, of: [0x1f, 0x9d, 0x90, 0x01, 0x02, 0xff], ["Content-Encoding: compress"])
  }

  @Test func keepsWhatComesBeforeACut() throws {
    for (coding, body) in [
      ("gzip", Self.gzip), ("deflate", Self.zlib), ("deflate", Self.deflate), ("br", Self.brotli),
    ] {
      // The tables at the beginning of brotli are longer than those of deflate.
      let found = try read(body.dropLast(coding == "br" ? 8 : 20), ["Content-Encoding: \(coding)"])
      #expect(found.counts == truncated, "\(coding)")
      #expect(Self.text.hasPrefix(found.text!) && found.text!.count > 10, "\(coding): \(found)")
    }
    try expect("", truncated, of: Self.brotli.dropLast(40), ["Content-Encoding: br"])
    try expect("", truncated, of: Self.zlib.prefix(2).map { $0 }, ["Content-Encoding: deflate"])
    try expect(Self.text, truncated, of: Self.gzip.dropLast(5), ["Content-Encoding: gzip"])
    try expect("", truncated, of: Self.gzip.prefix(3).map { $0 }, ["Content-Encoding: gzip"])
    try expect("short", truncated, of: "short", ["Content-Length: 6"])
    try expect("longer", of: "longer", ["Content-Length: 3"])
  }

  @Test func keepsTheTextIfOnlyTheChecksumIsWrong() throws {
    var gzip = Self.gzip, zlib = Self.zlib
    gzip[gzip.count - 6] ^= 1
    zlib[zlib.count - 1] ^= 1
    try expect(Self.text, damaged, of: gzip, ["Content-Encoding: gzip"])
    try expect(Self.text, damaged, of: zlib, ["Content-Encoding: deflate"])
    try expect(Self.text, damaged, of: Self.gzip + Array("xyz".utf8), ["Content-Encoding: gzip"])
    try expect(Self.text, damaged, of: Self.brotli + [1, 2, 3], ["Content-Encoding: br"])
  }

  @Test(arguments: ["gzip", "gzip, gzip"]) func textThatGrowsTooLongIsSkipped(coding: String) throws {
    let zeros = [UInt8](repeating: 0x30, count: 3_000_000)
    let bomb = coding == "gzip" ? Gzip.compress(zeros) : Gzip.compress(Gzip.compress(zeros))
    let found = try read(bomb, ["Content-Encoding: \(coding)"], ReaderOptions(longestDocument: 2_999_999))
    #expect(found.text == nil && found.counts == ["documents_too_long"])
    let most = try read(bomb, ["Content-Encoding: \(coding)"], ReaderOptions(longestDocument: 3_000_000))
    #expect(most.text?.utf8.count == 3_000_000 && most.counts.isEmpty)
  }
}
