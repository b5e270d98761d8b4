import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DedupMinHashCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: String..., input: String = "") throws -> Subprocess.Result {
    try Tool.data.run(["dedup", "--method", "minhash"] + arguments, input: Data(input.utf8), in: scratch.url)
  }

  /// Documents of 30 words; every third is a copy of an earlier one with its last words changed.
  private func documents(_ count: Int) -> String {
    var random = RandomGenerator(seed: 7)
    func word() -> String {
      String((0..<6).map { _ in Character(Unicode.Scalar(UInt8(97 + random.below(26)))) })
    }
    var documents: [[String]] = []
    for index in 0..<count {
      var words = (0..<30).map { _ in word() }
      if index % 3 == 2 {
        words = documents[random.below(index)]
        for place in (30 - random.below(12))..<30 { words[place] = word() }
      }
      documents.append(words)
    }
    return documents.map { $0.joined(separator: " ") + "\n" }.joined()
  }

  @Test func nearDuplicatesGo() throws {
    let text = "The quick brown fox jumps over the lazy dog while nobody looks at all of them today"
    let lines = [
      "{\"text\":\"\(text)\",\"id\":1}", "{\"id\":2,\"text\":\"Something else entirely\"}",
      "{\"text\":\"\(text.uppercased())!!!\",\"id\":3}", "{\"text\":\" \"}",
      "{\"text\":\"\(text) again and again\",\"id\":4}",
    ]
    try scratch.write("in.jsonl", lines.joined(separator: "\n"))
    let result = try run(
      "in.jsonl", "--bands", "30", "--rows", "2", "--report", "r.jsonl", "--summary", "s.json", "-o",
      "out.jsonl")
    #expect(result.status == 0)
    #expect(try scratch.text("out.jsonl") == lines[..<2].joined(separator: "\n") + "\n")
    #expect(result.errors.contains("30 bands of 2 rows") && result.errors.contains("similarity   0.30"))
    let report = try scratch.text("r.jsonl").split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(report.map { $0["reason"] as? String } == ["duplicate", "empty", "duplicate"])
    #expect(report.map { $0["line"] as? Int } == [3, 4, 5])
    #expect(report.map { ($0["duplicate_of"] as? [String: Any])?["line"] as? Int } == [1, nil, 1])
    #expect(report[0]["similarity"] as? Double == 1)
    let counts = try readSummary(scratch.path("s.json"))
    let expected = [
      "documents_in": 5, "documents_out": 2, "documents_empty": 1, "duplicates_removed": 2, "clusters": 1,
      "clusters_of_3": 1, "largest_cluster": 3, "words_out": 20,
    ]
    for (name, count) in expected { #expect(counts[name] as? Int == count, "\(name)") }
    // 1 - (1 - s²)³⁰ at s = 0.5 is as good as certain.
    #expect((counts["probability_at_0.5"] as? Double).map { $0 > 0.999 && $0 < 1 } == true)

    // Verified, the similarities are exact: the 13 shingles of the first are among the 16 of the last.
    _ = try run(
      "in.jsonl", "--threshold", "0.7", "--verify", "--bands", "50", "--rows", "2", "--report", "v",
      "--dry-run")
    #expect(try scratch.text("v").contains("\"line\":5,\"method\":\"minhash\",\"reason\":\"duplicate\""))
    #expect(try scratch.text("v").contains("\"similarity\":0.8"))
    let strict = try run("in.jsonl", "--threshold", "0.9", "--verify", "--bands", "50", "--rows", "2")
    #expect(strict.text.contains("\"id\":4") && !strict.text.contains("\"id\":3"))

    let longest = try run("in.jsonl", "--bands", "50", "--rows", "2", "--keep", "longest").text
    #expect(longest.contains("\"id\":4") && !longest.contains("\"id\":1"))
    let byField = try run("in.jsonl", "--bands", "50", "--rows", "2", "--keep-by", "id").text
    #expect(byField == longest)
  }

  @Test func pipesThreadsAndMemoryDoNotMatter() throws {
    let text = documents(30_000)
    try scratch.write("in.txt", text)
    let options = ["--keep", "longest", "--quiet"]
    func output(_ arguments: String...) throws -> Subprocess.Result {
      try Tool.data.run(
        ["dedup", "--method", "minhash"] + options + arguments, input: Data(text.utf8), in: scratch.url)
    }
    let file = try output("in.txt", "--threads", "2", "--report", "1")
    #expect(file.status == 0 && file.output.count < text.utf8.count * 9 / 10)
    let pipe = try output("--threads", "1", "--memory", "64M", "--report", "2")
    #expect(pipe.output == file.output)
    #expect(try scratch.text("1").replacingOccurrences(of: "in.txt", with: "-") == scratch.text("2"))
    #expect(
      try output("in.txt", "--verify", "--threads", "1").output == output("--verify", "--threads", "2").output
    )
  }

  @Test func stagesComeToTheSameAsOneRun() throws {
    let lines = documents(6000).split(separator: "\n")
    try scratch.write("a.txt", lines[..<2000].joined(separator: "\n") + "\n")
    try scratch.write("b.txt", lines[2000...].joined(separator: "\n") + "\n")
    let whole = try run("a.txt", "b.txt")
    for name in ["a", "b"] {
      #expect(try run("--stage", "signatures", "\(name).txt", "-o", "\(name).signatures").status == 0)
    }
    for part in ["1/2", "2/2"] {
      let result = try run(
        "--stage", "bands", "--part", part, "a.signatures", "b.signatures", "-o", "bands\(part.first!)")
      #expect(result.status == 0)
    }
    let clusters = try run(
      "--stage", "clusters", "a.signatures", "b.signatures", "bands1", "bands2", "-o", "clusters")
    #expect(clusters.status == 0, "\(clusters.errors)")
    let parts = try ["a", "b"].map { try run("--stage", "filter", "--clusters", "clusters", "\($0).txt") }
    #expect(parts[0].text + parts[1].text == whole.text && whole.text.count > 1000)

    // The list is for these documents and no others.
    try scratch.write("c.txt", lines[..<1999].joined(separator: "\n") + "\n")
    #expect(try run("--stage", "filter", "--clusters", "clusters", "c.txt").status == 64)
    let changed = lines[..<2000].reversed().joined(separator: "\n") + "\n"
    try scratch.write("a.txt", changed)
    let refused = try run("--stage", "filter", "--clusters", "clusters", "a.txt", "-o", "out.txt")
    #expect(refused.status == 1 && refused.errors.contains("has changed"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("out.txt")))
    #expect(!FileManager.default.fileExists(atPath: scratch.path(".out.txt.dedup")))
    #expect(try run("--stage", "clusters", "a.signatures", "bands1", "-o", "x").status == 64)
    #expect(try run("--stage", "bands", "a.txt", "-o", "x").status != 0)
  }

  @Test func aNamedWorkDirectoryIsKeptAndGuarded() throws {
    try scratch.write("in.txt", documents(300))
    let first = try run("in.txt", "--work-dir", "work")
    #expect(first.status == 0)
    // Nothing but the filter is left to do.
    let stamp = try FileManager.default.attributesOfItem(
      atPath: scratch.path("work/signatures/signatures.json"))
    #expect(try run("in.txt", "--work-dir", "work").output == first.output)
    let again = try FileManager.default.attributesOfItem(
      atPath: scratch.path("work/signatures/signatures.json"))
    #expect(stamp[.modificationDate] as? Date == again[.modificationDate] as? Date)
    let piped = try run("-", "--work-dir", "work")
    #expect(piped.status == 64)
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.url.path)
    #expect(!names.contains { $0.contains("spool") }, "\(names)")
    let other = try run("in.txt", "--work-dir", "work", "--ngram", "3")
    #expect(other.status == 64 && other.errors.contains("another job"))
    #expect(try run("in.txt", "--threshold", "2").status == 64)
    #expect(try run("in.txt", "--stage", "filter").status == 64)
    #expect(try run("in.txt", "--stage", "signatures").status == 64)
  }
}
