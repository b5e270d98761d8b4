import Foundation
import TestSupport
import Testing

/// The scripts of the runs at scale, on a corpus of a few seconds.
@Suite(.peers, .timeLimit(.minutes(60))) struct ScaleScriptTests {
  @Test func theWholeCorridorOnAMadeCorpus() throws {
    let scratch = try Scratch()
    let python = try #require(Peers.python), scripts = Repository.path("Tests/Peers"),
      sample = Repository.path("pipelines/sample.txt.zst")
    func make(_ name: String, _ more: String) throws -> Data {
      let line = "zstd -qdc \(sample) > text.txt; \(python) \(scripts)/make_words.py text.txt --words 200k"
      let made = try runShell("\(line) -o \(name) \(more)", in: scratch.url)
      #expect(made.status == 0, "\(made.errors)")
      return try Data(contentsOf: scratch.url.appendingPathComponent("\(name)/part-00000.jsonl"))
    }
    let corpus = try make("corpus", "")
    #expect(try make("again", "--processes 1") == corpus)
    #expect(try make("other", "--seed 2") != corpus)
    let run = try runShell(
      "\(python) \(scripts)/billion_words.py corpus --words 200k --work work --pkm $(command -v pkm-data)",
      in: scratch.url)
    #expect(run.status == 0, "\(run.errors)")
    for stage in ["normalize", "filter", "dedup", "learn-bpe", "encode", "shard", "all"] {
      #expect(run.text.contains("\n| \(stage) |"), "\(run.text)")
    }
    #expect(try Tool.data("verify", scratch.path("work/shards")).status == 0)
    // What was planted is found, but for short documents that a changed sentence makes another and what the filters drop.
    let planted = try readSummary(scratch.path("corpus/planted.json"))
    let removed = try #require(readSummary(scratch.path("work/dedup.json"))["duplicates_removed"] as? Int)
    let copies = try #require(planted["exact"] as? Int) + #require(planted["near"] as? Int)
    #expect(Double(removed) > 0.5 * Double(copies) && Double(removed) < 1.2 * Double(copies))
  }
}
