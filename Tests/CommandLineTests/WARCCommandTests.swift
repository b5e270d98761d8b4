import Foundation
import Support
import TestSupport
import Testing

/// Crawls, and compressed input that asks for too much.
@Suite(.timeLimit(.minutes(60))) struct WARCCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let normalize = ["normalize", "--form", "none", "--quiet", "--summary", "s.json"]

  private func run(_ arguments: [String]) throws -> Subprocess.Result {
    try Tool.data.run(Self.normalize + arguments, in: scratch.url)
  }

  private func summary(_ name: String) throws -> Int {
    try readSummary(scratch.path("s.json"))[name] as? Int ?? 0
  }

  private static func response(_ type: String) -> String {
    let content = "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\n\r\n<p>text</p>"
    return "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\n"
      + "Content-Length: \(content.utf8.count)\r\n\r\n\(content)\r\n\r\n"
  }

  /// The types are named and counted, and an empty corpus is an error unless it is allowed.
  @Test func aCrawlOfPagesSaysSo() throws {
    let pages = Self.response("text/html") + Self.response("image/png") + Self.response("text/html")
    try scratch.write("pages.warc", pages)
    let refused = try run(["pages.warc"])
    #expect(refused.status == 65 && refused.errors.contains("html 2"), "\(refused.errors)")
    let found = try run(["pages.warc", "--allow-empty"])
    #expect(found.errors.contains("3 of 3 WARC records hold no plain text and were skipped: 2 html, 1 image"))
    #expect(found.errors.contains("Extract the text of HTML first") && found.text.isEmpty)
    #expect(try summary("warc_records_skipped_html") == 2)
    let strict = try run(["pages.warc", "--strict"])
    #expect(strict.status == 65 && strict.errors.contains("2 html, 1 image"))
    // One text among many pages would otherwise look like the whole.
    try scratch.write("mixed.warc", pages + Self.response("text/plain"))
    let mixed = try run(["mixed.warc", "--strict"])
    #expect(mixed.status == 0 && mixed.errors.contains("3 of 4 WARC records"))
    try scratch.write("text.warc", Self.response("text/plain"))
    #expect(try run(["text.warc"]).errors.isEmpty)
  }

  /// A frame whose window has 2 GiB, read by a process that may use less.
  @Test func aLackOfMemoryIsNoDamage() throws {
    let window: UInt8 = (31 - 10) << 3
    let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0, window, 6 << 3 | 1, 0, 0] + Array("hello\n".utf8)
    try scratch.write("long.zst", frame)
    let command = "pkm-data " + Self.normalize.joined(separator: " ") + " long.zst"
    let refused = try runShell("ulimit -v 1900000; \(command)", in: scratch.url)
    #expect(refused.status == 74 && refused.text.isEmpty)
    #expect(refused.errors.contains("long.zst: there is not enough memory to decompress a zstd frame"))
    #expect(refused.errors.contains("2048 MiB") && refused.errors.contains("ulimit -v"))
    #expect(try run(["long.zst"]).text == "hello\n")
    // More than any zstd writes or reads.
    try scratch.write("longer.zst", frame.map { $0 == window ? window + 1 : $0 })
    #expect(try run(["longer.zst"]).status == 65)
    let longer = try run(["longer.zst", "--allow-empty"])
    #expect(longer.errors.contains("a window of more than 2 GiB") && longer.errors.contains("--long=31"))
    #expect(try summary("zstd_frames_damaged") == 1)
  }

  /// The memory of a run whose input has ten and a hundred times as much of one thing; the time is linear as well, which
  /// only a limit far from it can tell on a shared machine.
  @Test(.long, arguments: ["folded lines", "fields", "line ends", "members", "frames", "chunks", "codings"])
  func memoryGrowsWithNoDimension(dimension: String) throws {
    var seconds: [Double] = []
    for count in [500, 5_000, 50_000] {
      try scratch.write("grown.warc", try Self.grown(dimension, count))
      let found = try run(["grown.warc"])
      #expect(found.status == 0)
      #expect(try summary("documents_out") > 0, "\(dimension), \(count)")
      let peak = try summary("peak_bytes")
      #expect(peak < 300 << 20, "\(dimension), \(count): \(peak >> 20) MB")
      seconds.append(try readSummary(scratch.path("s.json"))["seconds"] as? Double ?? .infinity)
    }
    #expect(seconds[2] < 40 * seconds[1] + 2, "\(dimension): \(seconds)")
  }

  private static func grown(_ dimension: String, _ count: Int) throws -> [UInt8] {
    let response = Self.response("text/plain")
    func inserting(_ lines: String, after field: String) -> [UInt8] {
      Array(response.replacing(field, with: field + lines).utf8)
    }
    switch dimension {
    case "folded lines":
      return inserting("X: a\r\n" + String(repeating: " b\r\n", count: count), after: "application/http\r\n")
    case "fields":
      return inserting(String(repeating: "A: b\r\n", count: count), after: "application/http\r\n")
    case "line ends": return Array((response + String(repeating: "\n", count: 100 * count) + response).utf8)
    case "members": return Array(repeatElement(Gzip.compress(Array(response.utf8)), count: count).joined())
    case "frames":
      let frame = try Array(response.utf8).withUnsafeBytes { try ZstdCompressor(level: 3).compress($0) }
      return Array(repeatElement(frame, count: count).joined())
    case "chunks":
      let body = String(repeating: "1\r\na\r\n", count: count) + "0\r\n\r\n"
      return withBody(body, "Transfer-Encoding: chunked")
    default:
      return withBody("text", "Content-Encoding: " + String(repeating: "gzip,", count: count))
    }
  }

  private static func withBody(_ body: String, _ field: String) -> [UInt8] {
    let content = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\(field)\r\n\r\n\(body)"
    return Array(
      ("WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\n"
        + "Content-Length: \(content.utf8.count)\r\n\r\n\(content)\r\n\r\n").utf8)
  }
}
