import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DedupCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: String..., input: String = "") throws -> Subprocess.Result {
    try run(arguments, input: input)
  }

  private func run(_ arguments: [String], input: String = "") throws -> Subprocess.Result {
    try Tool.data.run(["dedup"] + arguments, input: Data(input.utf8), in: scratch.url)
  }

  @Test func theFirstOfEachStays() throws {
    let result = try run("--summary", "s.json", input: "b\na\n\nb\na\nc c\n \na")
    #expect(result.status == 0 && result.text == "b\na\nc c\n")
    let counts = try readSummary(scratch.path("s.json"))
    let expected = [
      "documents_in": 8, "documents_out": 3, "documents_empty": 2, "duplicates_removed": 3, "words_in": 7,
      "words_out": 4, "bytes_in": 16, "bytes_out": 8, "clusters": 2, "clusters_of_2": 1, "clusters_of_3": 1,
      "largest_cluster": 3, "text_bytes_in": 9, "text_bytes_out": 5,
    ]
    for (name, count) in expected { #expect(counts[name] as? Int == count, "\(name)") }
    #expect(try run("--quiet").output.isEmpty)
  }

  @Test func theReportNamesBothPlaces() throws {
    try scratch.write("1.txt", "x\n\ny\n")
    try scratch.write("2.txt", "z\ny\nz\n")
    #expect(try run("1.txt", "2.txt", "--report", "r.jsonl").text == "x\ny\nz\n")
    let report = try scratch.text("r.jsonl").split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    #expect(report.map { $0["reason"] as? String } == ["empty", "duplicate", "duplicate"])
    #expect(report.map { $0["file"] as? String } == ["1.txt", "2.txt", "2.txt"])
    #expect(report.map { $0["line"] as? Int } == [2, 2, 3])
    #expect(report.allSatisfy { $0["method"] as? String == "exact" })
    let firsts = report.map { $0["duplicate_of"] as? [String: Any] }
    #expect(firsts.map { $0?["file"] as? String } == [nil, "1.txt", "2.txt"])
    #expect(firsts.map { $0?["line"] as? Int } == [nil, 3, 1])
  }

  @Test(arguments: [
    ("exact", #""duplicate","duplicate_of":{"file":"c.txt","line":1},"similarity":1.0"#),
    ("minhash", #""duplicate","duplicate_of":{"file":"c.txt","line":1},"similarity":1.0"#),
    (
      "paragraph",
      #""duplicate","units":1,"units_removed":1,"removed":1.0,"duplicate_of":[{"file":"c.txt","line":1}]"#
    ),
    ("substring", #""repeated_span","start":0,"bytes":13,"duplicate_of":{"file":"c.txt","line":1}"#),
  ])
  func everyMethodReportsTheseBytes(method: String, reason: String) throws {
    try scratch.write("c.txt", "one two three\none two three\n\nfour\n")
    let options = method == "substring" ? ["--min-length", "3"] : []
    let arguments = ["c.txt", "--method", method, "--report", "r.jsonl"] + options
    #expect(try run(arguments).text == "one two three\nfour\n")
    let lines = try scratch.text("r.jsonl").split(separator: "\n")
    #expect(
      lines.map(String.init).first == #"{"file":"c.txt","line":2,"method":"\#(method)","reason":\#(reason)}"#)
    #expect(lines.contains(#"{"file":"c.txt","line":3,"method":"\#(method)","reason":"empty"}"#))
  }

  @Test func jsonLinesPassByteForByte() throws {
    let kept = "{ \"text\" : \"\\u00e9\", \"n\":1.0 }"
    try scratch.write("a.jsonl", "\(kept)\n{\"n\":2,\"text\":\"é\"}\n")
    #expect(try run("a.jsonl").text == kept + "\n")
  }

  @Test func threadsAndRepetitionDoNotMatter() throws {
    let text = (0..<200_000).map { "document \($0 * $0 % 65_537)\n" }.joined()
    let one = try run("--threads", "1", "--report", "1", input: text)
    let two = try run("--threads", "2", "--report", "2", input: text)
    #expect(one.output == two.output && one.output.count > 100_000)
    #expect(try scratch.text("1") == scratch.text("2"))
    #expect(try run(input: one.text).output == one.output)
  }

  @Test func aDryRunCountsAndReportsOnly() throws {
    let result = try run(
      "--dry-run", "--report", "r.jsonl", "--summary", "s.json", input: "a\na\nb\n")
    #expect(result.status == 0 && result.output.isEmpty)
    #expect(!FileManager.default.fileExists(atPath: scratch.path("out")))
    #expect(try scratch.text("r.jsonl").contains("\"similarity\":1"))
    let counts = try readSummary(scratch.path("s.json"))
    #expect(counts["documents_out"] as? Int == 2 && counts["bytes_out"] == nil)
  }

  @Test(.long) func beyondTheMemoryTheResultIsTheSame() throws {
    // 1.6 million distinct lines need more than the 48 MB that 64M leave for the table.
    let text = (0..<3_000_000).map { "\($0 * 7919 % 2_000_003)\n" }.joined()
    let inMemory = try run("--report", "1", input: text)
    let onDisk = try run("--report", "2", "--memory", "64M", input: text)
    #expect(onDisk.status == 0 && onDisk.errors.contains("memory is full"))
    let isSame = inMemory.output == onDisk.output
    #expect(isSame)
    let reportIsSame = try scratch.text("1") == scratch.text("2")
    #expect(reportIsSame)
  }

  @Test func theOrderDecidesWhichOneStaysAndNothingElse() throws {
    var random = RandomGenerator(seed: 2)
    var lines = (0..<5000).map { _ in "line \(random.below(2000))" }
    let one = try run(input: lines.joined(separator: "\n")).text.split(separator: "\n")
    for index in (1..<lines.count).reversed() { lines.swapAt(index, random.below(index + 1)) }
    let other = try run(input: lines.joined(separator: "\n")).text.split(separator: "\n")
    #expect(one.sorted() == other.sorted() && one != other)
  }

  @Test(arguments: ["minhash", "substring"]) func whatIsReadTwiceIsWarnedOfOnce(method: String) throws {
    try scratch.write("a.jsonl", "{\"text\":\"one\"}\n{broken\n{\"text\":\"two\"}\n")
    let result = try run("--method", method, "a.jsonl")
    #expect(result.errors.components(separatedBy: "a.jsonl:2: a broken JSON line").count == 2)
  }

  @Test func memoryIsNoMoreThanTheProcessMayUse() throws {
    try scratch.write("in.txt", "a\na\n")
    let tool = Tool.directory.appendingPathComponent("pkm-data").path
    let result = try Subprocess.run(
      "/bin/bash",
      ["-c", "ulimit -v 2000000; exec \"$0\" dedup --memory 800G --quiet in.txt", tool], in: scratch.url)
    #expect(result.status == 0 && result.text == "a\n")
    #expect(result.errors.contains("--memory is 819200 MB, but this process may use"), "\(result.errors)")
  }

  @Test func failuresLeaveNoOutput() throws {
    try scratch.write("in.txt", "text\n\u{0}")
    #expect(try run("--method", "guess", "in.txt").status == 64)
    #expect(try run("in.txt", "-o", "out.txt", "--report", "in.txt/r").status == 74)
    #expect(!FileManager.default.fileExists(atPath: scratch.path("out.txt")))
  }
}
