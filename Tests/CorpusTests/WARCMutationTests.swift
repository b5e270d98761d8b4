import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// Crawls whose records, members and frames are damaged one by one, while the others stay whole.
///
/// Each document of a whole part must come out, and each that does not come out as it was must be counted, in seconds.
/// `PKM_FUZZ_RUNS` sets the number of inputs and `PKM_FUZZ_SEED` the seed of the first.
@Suite(.long, .timeLimit(.minutes(60))) struct WARCMutationTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// One record in a member or frame of its own.
  private struct Part {
    var bytes: [UInt8]
    let text: String
    var isDamaged = false
  }

  private enum Compression: CaseIterable { case none, gzip, zstd }

  private static func record(_ number: Int, _ random: inout RandomGenerator) -> (bytes: [UInt8], text: String)
  {
    var file = WARCBuilder()
    // No line of it looks like a record, and none like another document.
    let text = (0...random.below(30)).map { "document \(number) line \($0)" }.joined(separator: "\n") + "\n"
    let content = Array(text.utf8)
    switch random.below(4) {
    case 0: file.record("conversion", ["WARC-Record-ID: <urn:\(number)>"], text)
    case 1: file.response("text/plain", content)
    case 2: file.response("text/plain", Gzip.compress(content), ["Content-Encoding: gzip"])
    default:
      let chunk = Array((String(content.count, radix: 16) + "\r\n").utf8) + content
      file.response("text/plain", chunk + Array("\r\n0\r\n\r\n".utf8), ["Transfer-Encoding: chunked"])
    }
    return (file.bytes, text)
  }

  private static func compress(_ bytes: [UInt8], _ compression: Compression) throws -> [UInt8] {
    switch compression {
    case .none: bytes
    case .gzip: Gzip.compress(bytes)
    case .zstd: try bytes.withUnsafeBytes { try ZstdCompressor(level: 3).compress($0) }
    }
  }

  /// Damages the inside of a part. What remains of its first bytes still shows where it begins.
  private static func damage(_ bytes: inout [UInt8], _ random: inout RandomGenerator) {
    let kept = min(12, bytes.count - 1)
    let at = kept + random.below(bytes.count - kept)
    switch random.below(5) {
    case 0: bytes[at] ^= 1 << UInt8(random.below(8))
    case 1: for index in at..<min(bytes.count, at + 9) { bytes[index] = UInt8(random.below(256)) }
    case 2: bytes.removeLast(bytes.count - at)
    case 3: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(20)))
    default: bytes.insert(contentsOf: (0...random.below(20)).map { _ in UInt8(random.below(256)) }, at: at)
    }
  }

  private static let losses: Set<String> = [
    "gzip_members_damaged", "zstd_frames_damaged", "foreign_bytes_ignored", "warc_lengths_wrong",
    "warc_records_truncated", "warc_bytes_skipped", "http_bodies_truncated", "http_bodies_damaged",
    "documents_too_long", "invalid_utf8_replaced", "invalid_characters_replaced",
  ]

  @Test func documentsComeOutOrAreCounted() throws {
    let environment = ProcessInfo.processInfo.environment
    let runs = environment["PKM_FUZZ_RUNS"].flatMap { Int($0) } ?? 1500
    let seed = environment["PKM_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
    let watchdog = Watchdog(limit: 10)
    defer { watchdog.stop() }
    for run in 0..<runs {
      watchdog.begin(seed &+ UInt64(run))
      var random = RandomGenerator(seed: seed &+ UInt64(run))
      let compression = Compression.allCases[random.below(3)]
      var parts: [Part] = []
      for number in 0...random.below(8) {
        let (bytes, text) = Self.record(number, &random)
        parts.append(Part(bytes: try Self.compress(bytes, compression), text: text))
      }
      for _ in 0...random.below(3) {
        let index = random.below(parts.count)
        Self.damage(&parts[index].bytes, &random)
        parts[index].isDamaged = true
      }
      let name = "a.warc" + (compression == .gzip ? ".gz" : compression == .zstd ? ".zst" : "")
      let path = try scratch.write(name, Array(parts.map(\.bytes).joined()))
      let found = try ReadDocuments([path], ReaderOptions(batchBytes: 1 << (6 + 2 * random.below(8))))
      let texts = Set(found.texts)
      let counted = found.counts.entries.reduce(0) { sum, entry in
        let name = entry.name.rawValue
        let isLoss = Self.losses.contains(name) || name.hasPrefix("warc_records_skipped")
        return sum + (isLoss ? found.counts.count(entry.name) : 0)
      }
      // Where the damage was not seen, because nothing has a checksum, the end of a damaged record may take the
      // beginning of the next one with it.
      let damaged = parts.count { $0.isDamaged }
      let isSeen =
        switch compression {
        case .none: false
        case .gzip: true
        case .zstd: found.counts.count(CountName("zstd_frames_damaged")) >= damaged
        }
      let whole = parts.indices.filter { index in
        !parts[index].isDamaged && (isSeen || index == 0 || !parts[index - 1].isDamaged)
      }
      for index in whole {
        #expect(
          texts.contains(parts[index].text), "input \(seed &+ UInt64(run)), \(compression), part \(index)")
      }
      // No document vanishes, but a record that ends in its header becomes one with the next.
      let missing = parts.count - found.texts.count
      let merged = isSeen ? 0 : damaged
      #expect(
        missing <= counted + merged,
        "input \(seed &+ UInt64(run)), \(compression): \(missing) missing, \(found.counts.line)")
    }
    // The inputs have some kilobytes. In a short run other tests of the process would count.
    if runs > 100_000 { #expect(SystemCall.peakMemory < 1 << 30) }
  }
}
