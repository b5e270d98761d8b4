import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// Every reader on damaged inputs: none may crash, hang, or take unreasonable memory, and the output is valid
/// text within the limits.
///
/// `PKM_FUZZ_RUNS` sets the number of inputs (default: a few thousand), and `PKM_FUZZ_SEED` the seed of the
/// first.
@Suite(.long, .timeLimit(.minutes(60))) struct DocumentFuzzTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private struct Subject {
    let bytes: [UInt8]
    let options: [ReaderOptions]
  }

  private static let prose = """
    The quick brown fox.\r\n\r\nÉté à la plage, 中文 и русский 😀\n\u{feff}x\u{0}y\n \t\nlast line without end
    """
  private static let lines = #"""
    {"text":"a \u00e9 \ud83d\ude00 \n","n":[1,{"x":null}],"meta":{"text":"inner","a.b":true}}
    {"id": 7, "text": ""}

    {"a.b": "literal", "text": "Été", "t": {"e": {"x": {"t": "deep"}}}}
    """#

  private func compressed(_ bytes: [UInt8], _ suffix: String, parts: Int = 3) throws -> [UInt8] {
    var all: [UInt8] = []
    let size = max(1, bytes.count / parts)
    for start in stride(from: 0, to: bytes.count, by: size) {
      let part = Array(bytes[start..<min(bytes.count, start + size)])
      all +=
        try suffix == ".gz"
        ? Gzip.compress(part) : part.withUnsafeBytes { try ZstdCompressor(level: 3).compress($0) }
    }
    return all
  }

  private func warc() throws -> [UInt8] {
    var file = WARCBuilder()
    file.record("warcinfo", ["Content-Type: application/warc-fields"], "software: x\r\n")
    file.record(
      "conversion", ["WARC-Target-URI: http://a/", "WARC-Record-ID: <urn:uuid:1>"], "Été\nWARC/1.0\n中文")
    file.response("text/plain; charset=windows-1251", [0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2])
    file.response("text/plain", Array("4\r\nfour\r\n0\r\n\r\n".utf8), ["Transfer-Encoding: chunked"])
    file.response(
      "text/plain", try compressed(Array("zipped".utf8), ".gz", parts: 1), ["Content-Encoding: gzip"])
    file.response("text/html", Array("<p>no".utf8))
    file.record(
      "resource", ["Content-Type: text/plain", "\tfolded", "WARC-Truncated: length"], "resource text")
    return file.bytes
  }

  private func subjects() throws -> [Subject] {
    let auto = TextEncoding.automatic
    let text = Array(Self.prose.utf8), json = Array(Self.lines.utf8), warc = try warc()
    let splittings = DocumentSplitting.allCases.flatMap { splitting in
      [1, 7, 4096].map {
        ReaderOptions(
          splitting: splitting, encoding: $0 == 7 ? auto : .utf8, longestDocument: 60, batchBytes: $0)
      }
    }
    let asJSON = [
      ReaderOptions(format: .jsonl, batchBytes: 16),
      ReaderOptions(format: .jsonl, textField: "t.e.x.t", invalid: .drop),
      ReaderOptions(format: .jsonl, encoding: auto, textField: "a.b", longestDocument: 40),
    ]
    let asWARC = [
      ReaderOptions(format: .warc, batchBytes: 16), ReaderOptions(encoding: auto),
      ReaderOptions(invalid: .drop),
      ReaderOptions(format: .warc, longestDocument: 10, batchBytes: 64),
    ]
    let wide = [UInt8](try #require(Self.prose.data(using: .utf16)))
    let japanese = [UInt8](try #require("吾輩は猫である。名前はまだ無い。\n".data(using: .iso2022JP)))
    let charsets = ["utf-16le", "utf-32", "iso-2022-jp", "shift_jis", "gb18030", "utf-7", "hz-gb-2312"].map {
      ReaderOptions(encoding: .named(Charset($0)!), batchBytes: 16)
    }
    var all = [
      Subject(bytes: text, options: splittings), Subject(bytes: json, options: asJSON + [ReaderOptions()]),
      Subject(bytes: warc, options: asWARC), Subject(bytes: wide, options: splittings),
      Subject(bytes: japanese, options: charsets + [ReaderOptions(encoding: auto)]),
      Subject(bytes: text, options: charsets),
    ]
    for suffix in [".gz", ".zst"] {
      all += [
        Subject(bytes: try compressed(text, suffix), options: splittings),
        Subject(bytes: try compressed(json, suffix), options: asJSON),
        Subject(bytes: try compressed(warc, suffix, parts: 7), options: asWARC),
      ]
    }
    return all
  }

  private static let interesting: [[UInt8]] = [
    [0x0a], [0x0d, 0x0a, 0x0d, 0x0a], [0], [0xff, 0xfe], [0xef, 0xbb, 0xbf], [0x1f, 0x8b, 8, 0],
    [0x28, 0xb5, 0x2f, 0xfd],
    [0x1b, 0x24, 0x42], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
    [0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff],
    Array("WARC/1.0\r\n".utf8), Array("WARC/1.0\r\nWARC-Type: conversion\r\n".utf8),
    Array("Content-Length: 4\r\n".utf8),
    Array("Content-Length: 99999999999999999999\r\n\r\n".utf8), Array("HTTP/1.1 200 OK\r\n".utf8),
    Array("\\ud800".utf8),
    Array("{\"text\":\"".utf8), Array("\"}".utf8), Array(repeating: 0x5b, count: 300),
  ]

  private static func mutate(_ bytes: inout [UInt8], with random: inout RandomGenerator) {
    for _ in 0...random.below(5) {
      guard !bytes.isEmpty else { return }
      let at = random.below(bytes.count)
      switch random.below(10) {
      case 0: bytes[at] ^= 1 << UInt8(random.below(8))
      case 1: bytes[at] = UInt8(random.below(256))
      case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(20)))
      case 3: bytes.insert(UInt8(random.below(256)), at: at)
      case 4: bytes.removeLast(bytes.count - at)
      case 5:
        bytes.insert(contentsOf: bytes[at...].prefix(1 + random.below(60)), at: random.below(bytes.count))
      case 6, 7: bytes.insert(contentsOf: interesting[random.below(interesting.count)], at: at)
      case 8:
        // A wrong length: another digit.
        if let digit = bytes[at...].firstIndex(where: { $0 >= 0x30 && $0 <= 0x39 }) {
          bytes[digit] = UInt8(0x30 + random.below(10))
          if random.below(4) == 0 { bytes.insert(0x39, at: digit) }
        }
      default: bytes.swapAt(at, random.below(bytes.count))
      }
    }
  }

  private static func peakMemory() -> Int {
    var usage = rusage()
    getrusage(0, &usage)
    return usage.ru_maxrss << 10
  }

  @Test func survivesDamagedInputs() throws {
    let environment = ProcessInfo.processInfo.environment
    let runs = environment["PKM_FUZZ_RUNS"].flatMap { Int($0) } ?? 4000
    let seed = environment["PKM_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
    let subjects = try subjects()
    let path = scratch.path("input")
    let watchdog = Watchdog(limit: 60)
    defer { watchdog.stop() }
    var memory = 0
    var documents = 0
    for run in 0..<runs {
      // Each input can be recreated from its number alone.
      var random = RandomGenerator(seed: seed &+ UInt64(run))
      let subject = subjects[random.below(subjects.count)]
      var bytes = subject.bytes
      Self.mutate(&bytes, with: &random)
      // Use a new file each time: some file systems sync a file that is rewritten.
      unlink(path)
      try bytes.withUnsafeBytes {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0 && write(descriptor, $0.baseAddress, $0.count) == $0.count)
        close(descriptor)
      }
      var options = subject.options[random.below(subject.options.count)]
      options.isStrict = random.below(10) == 0
      watchdog.begin(seed &+ UInt64(run))
      do {
        let reader = try DocumentReader(inputs: [path], options: options)
        var batches = 0
        while let batch = try reader.next() {
          documents += batch.count
          batches += 1
          try #require(batches < 1 << 17, "input \(run) does not end")
          batch.forEachDocument { _, text in
            #expect(UTF8Repair.isValid(text), "input \(run)")
            let limit = options.splitting == .stream ? .max : options.longestDocument
            #expect(text.count <= limit, "input \(run)")
          }
          var counts = Summary()
          #expect(
            UTF8Repair.isValid(DocumentRenderer(format: .jsonl).render(batch, counts: &counts)),
            "input \(run)")
        }
      } catch let failure as Failure {
        #expect(
          failure.kind == .badInput && (options.isStrict || failure.message.contains(", not text")),
          "input \(run): \(failure)")
      }
      // After a while every code path was used, and memory must not grow any more.
      if run == max(1000, runs / 10) { memory = Self.peakMemory() }
    }
    #expect(documents > runs)
    if runs > 100_000 { #expect(Self.peakMemory() - memory < 256 << 20) }
  }
}

extension UTF8Repair {
  fileprivate static func isValid(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { isValid($0) } }
}
