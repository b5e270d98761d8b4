import Foundation
import TestSupport
import Testing

/// `dedup --seen`: documents that are known already.
@Suite(.timeLimit(.minutes(60))) struct DedupSeenTests {
  private static let ship =
    "A ship sails over the grey sea and nobody sleeps while the wind blows hard from the north all night long."
  private static let town =
    "In the old town by the river the bells ring twice a day and the people go to the market for bread."
  private static let hill =
    "Far beyond the last hill a shepherd counts his sheep by the light of the moon and hums a quiet song."

  private func dedup(_ scratch: Scratch, _ more: String...) throws -> [String] {
    let files = [
      "--seen", scratch.path("valid.txt"), "--seen", scratch.path("test.txt"), scratch.path("train.txt"),
    ]
    let result = try Tool.data.run(
      [
        "dedup", "--quiet", "--summary", scratch.path("summary.json"), "--report",
        scratch.path("report.jsonl"),
      ]
        + files + more)
    #expect(result.status == 0, "\(result.errors)")
    return result.text.split(separator: "\n").map(String.init)
  }

  /// It would remove everything.
  @Test func whatIsSeenIsNoInput() throws {
    let scratch = try Scratch()
    try scratch.write("d/a.txt", "\(Self.ship)\n")
    try scratch.write("d/b.txt", "\(Self.town)\n")
    #expect(try runShell("ln d/a.txt hard.txt", in: scratch.url).status == 0)
    for (inputs, seen) in [("d/a.txt", "d/a.txt"), ("d/b.txt d/a.txt", "hard.txt"), ("d", "d"), ("d/*", "d")]
    {
      let result = try Tool.data.run(
        ["dedup", "--seen", seen] + inputs.split(separator: " ").map(String.init), in: scratch.url)
      #expect(
        result.status == 64 && result.errors.contains("is both an input and of --seen"), "\(result.errors)")
    }
    // A held-out file in the directory of the corpus is left out of it, with a word.
    let part = try Tool.data("dedup", "d", "--seen", "d/a.txt", "--summary", "s.json", in: scratch.url)
    #expect(part.status == 0 && part.text == Self.town + "\n", "\(part.errors)")
    #expect(part.errors.contains("d/a.txt: is given more than once and read once"), "\(part.errors)")
    #expect(try readSummary(scratch.path("s.json"))["documents_in"] as? Int == 1)
  }

  /// What is lost of a held-out set is said and counted: its copies would stay in the corpus.
  @Test(arguments: ["exact", "minhash", "paragraph", "substring"])
  func lossesOfWhatWasSeenAreCounted(method: String) throws {
    let scratch = try Scratch()
    func object(_ text: String, field: String = "text") -> String { "{\"\(field)\":\"\(text)\"}\n" }
    try scratch.write("in.jsonl", object(Self.ship) + object(Self.town))
    try scratch.write("part.jsonl", object(Self.ship) + object(Self.town, field: "content") + "{\"text\":\n")
    try scratch.write("none.jsonl", object(Self.ship, field: "content"))
    func dedup(_ seen: String, _ more: String...) throws -> Subprocess.Result {
      try Tool.data.run(
        ["dedup", "--method", method, "--quiet", "--summary", "s.json", "--seen", seen, "in.jsonl"]
          + (method == "substring" ? ["--min-length", "10"] : []) + more, in: scratch.url)
    }
    let part = try dedup("part.jsonl")
    #expect(part.status == 0 && part.text.contains(Self.town), "\(part.errors)")
    #expect(part.errors.contains("part.jsonl:2: no field \"text\"") && part.errors.contains("part.jsonl:3: "))
    let counts = try readSummary(scratch.path("s.json"))
    #expect(counts["json_texts_missing"] as? Int == 1 && counts["json_lines_broken"] as? Int == 1)
    #expect(counts["documents_in"] as? Int == 2 && counts["documents_seen"] as? Int == 1)
    #expect(try dedup("part.jsonl", "--strict").status == 65)
    let none = try dedup("none.jsonl", "-o", "none-out.jsonl")
    #expect(none.status == 65 && none.errors.contains("--seen are not empty but hold no document"))
    #expect(none.errors.contains("\"content\"") && !scratch.names.contains("none-out.jsonl"))
    #expect(try dedup("none.jsonl", "--allow-empty").status == 0)
  }

  @Test(arguments: ["exact", "minhash", "paragraph", "substring"]) func whatWasSeenGoes(method: String) throws
  {
    let scratch = try Scratch()
    // Held out: one document twice, and one that training has, too.
    try scratch.write("valid.txt", "\(Self.ship)\n\(Self.ship)\n")
    try scratch.write("test.txt", "\(Self.hill)\n\n")
    try scratch.write("train.txt", "\(Self.town)\n\(Self.ship)\n\(Self.town)\n\(Self.hill)\n")
    let options = method == "substring" ? ["--min-length", "10"] : []
    let kept = try Tool.data.run(
      ["dedup", "--method", method, "--quiet", scratch.path("train.txt")] + options)
    #expect(kept.text.split(separator: "\n").map(String.init) == [Self.town, Self.ship, Self.hill])
    let lines =
      try method == "substring"
      ? dedup(scratch, "--method", method, "--min-length", "10") : dedup(scratch, "--method", method)
    #expect(lines == [Self.town])
    // The counts are those of training alone.
    let summary = try readSummary(scratch.path("summary.json"))
    #expect(summary["documents_in"] as? Int == 4)
    #expect(summary["documents_out"] as? Int == 1)
    #expect(summary["words_out"] as? Int == 22)
    if method != "substring" {
      #expect(summary["documents_seen"] as? Int == 4)
      #expect(summary["duplicates_removed"] as? Int == 3)
      #expect(summary["documents_empty"] as? Int == 0)
    }
    // So is the report, which names the held-out document that was duplicated.
    let report = try scratch.text("report.jsonl").split(separator: "\n")
    #expect(report.allSatisfy { $0.hasPrefix("{\"file\":\"\(scratch.path("train.txt"))") })
    #expect(report.contains { $0.contains("\"duplicate_of\":") && $0.contains("valid.txt\",\"line\":1") })
  }

  @Test func whatDoesNotGoTogether() throws {
    let scratch = try Scratch()
    try scratch.write("a.txt", "a\n")
    for options in [
      ["--method", "minhash", "--keep", "longest"], ["--method", "minhash", "--keep-by", "date"],
      ["--method", "none", "--against", scratch.path("a.txt")],
      ["--method", "minhash", "--stage", "signatures", "-o", scratch.path("s")],
    ] {
      let result = try Tool.data.run(
        ["dedup", "--seen", scratch.path("a.txt"), scratch.path("a.txt")] + options)
      #expect(result.status == 64 && result.errors.contains("--seen"), "\(result.errors)")
    }
  }

  @Test func aRecipeTakesHeldOutDocumentsOutOfTraining() throws {
    let scratch = try Scratch()
    try scratch.write("train.txt", "\(Self.town)\n\(Self.ship)\n\(Self.town)\n\(Self.hill)\n")
    try scratch.write("valid.txt", "\(Self.ship)\n")
    try scratch.write("known.txt", "\(Self.hill)\n")
    func recipe(_ seen: String) throws {
      try scratch.write(
        "recipe.yaml",
        """
        inputs: {train: train.txt, valid: valid.txt}
        output: \(scratch.path("out"))
        stages:
          - normalize
          - dedup: {method: exact, seen: \(seen)}
          - learn-bpe: {merges: 20}
          - encode
        """)
    }
    func documents() throws -> [String: Int] {
      let result = try Tool.data("run", scratch.path("recipe.yaml"))
      #expect(result.status == 0, "\(result.errors)")
      let index = try readSummary(scratch.path("out/index.json"))
      let splits = try #require(index["splits"] as? [String: [String: Any]])
      return splits.compactMapValues { $0["documents"] as? Int }
    }
    try recipe("valid")
    #expect(try documents() == ["train": 2, "valid": 1])
    // Files beside splits: what an earlier corpus held.
    try recipe("[valid, known.txt]")
    #expect(try documents() == ["train": 1, "valid": 1])
    try recipe("vaild")
    let wrong = try Tool.data("run", scratch.path("recipe.yaml"))
    #expect(wrong.status == 64)
    #expect(
      wrong.errors.contains(
        "recipe.yaml:5: \"vaild\" is neither a split of the inputs nor a file. Did you mean \"valid\"?"))
  }
}
