import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// HTTP bodies beside warcio and FastWARC, the readers of crawls that most people use.
///
/// `PKM_FUZZ_SEED` sets the seed and `PKM_FUZZ_RUNS` the number of records.
@Suite(.peers, .timeLimit(.minutes(60))) struct WARCPeerTests {
  /// A record as `warc_peers.py` describes it.
  private struct Case: Decodable {
    let record: Data
    let text: Data
    let body: Data
    let isWhole: Bool
    let shows: Bool
    let warcio: Data?
    let fastwarc: Data?

    enum CodingKeys: String, CodingKey {
      case record, text, body, shows, warcio, fastwarc
      case isWhole = "is_whole"
    }
  }

  private static func string(_ bytes: Data) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test func readsWhatPeersRead() throws {
    let scratch = try Scratch()
    let environment = ProcessInfo.processInfo.environment
    let (seed, runs) = (environment["PKM_FUZZ_SEED"] ?? "1", environment["PKM_FUZZ_RUNS"] ?? "400")
    let output = try Peers.run("warc_peers.py", [seed, runs])
    var (agreed, damaged) = (0, 0)
    for (number, line) in output.split(separator: 0x0a).enumerated() {
      let made = try JSONDecoder().decode(Case.self, from: Data(line))
      let path = try scratch.write("a.warc", Array(made.record))
      let found = try ReadDocuments([path])
      let text = try #require(
        found.texts.first ?? (made.isWhole ? nil : ""), "record \(number) of seed \(seed)")
      let isCounted = found.counts.entries.contains { entry in
        ["http_bodies_truncated", "http_bodies_damaged", "warc_records_skipped_unknown_coding"]
          .contains(entry.name.rawValue)
      }
      if made.isWhole { #expect(text == Self.string(made.text), "record \(number) of seed \(seed)") }
      if let peer = made.warcio, peer == made.fastwarc {
        agreed += 1
        #expect(text == Self.string(peer), "record \(number) of seed \(seed)")
      }
      if made.shows {
        damaged += 1
        // Nothing is lost without a count.
        let isComplete = text.contains(Self.string(made.text)) || text == Self.string(made.body)
        #expect(isComplete || isCounted, "record \(number) of seed \(seed)")
      }
      let strict = Result { try ReadDocuments([path], ReaderOptions(isStrict: true)) }
      if isCounted { #expect(throws: Failure.self) { try strict.get() } }
    }
    #expect(agreed > 50 && damaged > 50)
  }
}
