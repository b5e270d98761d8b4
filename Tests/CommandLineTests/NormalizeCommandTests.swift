import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct NormalizeCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: String..., input: String = "") throws -> Subprocess.Result {
    try Tool.data.run(["normalize"] + arguments, input: Data(input.utf8), in: scratch.url)
  }

  private func shell(_ script: String) throws -> Subprocess.Result {
    try runShell(script, in: scratch.url)
  }

  /// Lines with something for every step to do.
  private func sample(lines: Int) -> String {
    let parts = [
      "Caf\u{65}\u{301} ﬁne", "  white\t space ", "中文，全角", "ΟΔΟΣ", "", "plain words again", "a\u{ad}b\u{0}",
    ]
    return (0..<lines).map { "\(parts[$0 % parts.count]) \($0)" }.joined(separator: "\n")
  }

  @Test func standardInputToStandardOutput() throws {
    let result = try run(input: " Ｆｕｌｌ  width\r\n\r\nﬁn")
    #expect(result.status == 0 && result.text == "Full width\n\nfin\n")
    #expect(result.errors.contains("documents_in 3, ") && result.errors.contains("unicode_version"))
    let empty = try run("--quiet")
    #expect(empty.status == 0 && empty.output.isEmpty && empty.errors.isEmpty)
  }

  @Test func flagsChooseTheSteps() throws {
    let text = "“É”  x\u{0}\n"
    #expect(try run("--form", "nfd", "--keep-whitespace", input: text).text == "“E\u{301}”  x\n")
    #expect(
      try run("--case", "fold", "--strip-accents", "--punctuation", "--keep-controls", input: text).text
        == "\"e\" x\u{0}\n")
    #expect(try run("--form", "none", "--transform", "x > yy;", input: text).text == "“É” yy\n")
    for bad in [["--form", "nfx"], ["--transform", "No-Such"], ["--threads", "0"]] {
      #expect(try Tool.data.run(["normalize"] + bad, input: Data(text.utf8)).status == 64)
    }
  }

  @Test func sentencesAndWords() throws {
    let text = "Mr. Fox, 3.5 m. Why?\n\nNo.\n"
    #expect(
      try run("--sentences", "--locale", "en", "--tokenize", input: text).text
        == "Mr . Fox , 3.5 m .\nWhy ?\n\nNo .\n")
    try scratch.write("a.jsonl", "{\"text\": \"One. Two.\", \"id\": 1}\n")
    #expect(try run("--sentences", "a.jsonl").text == "{\"text\": \"One.\\nTwo.\", \"id\": 1}\n")
    let lines = try run("--sentences", "a.jsonl", "--output-format", "text", "--summary", "s.json")
    #expect(lines.text == "One.\nTwo.\n")
    #expect(try readSummary(scratch.path("s.json"))["documents_out"] as? Int == 2)
    #expect(
      try run("--sentences", "--documents", "paragraph", input: "A b. C.\n\nD.").text == "A b.\nC.\n\nD.\n\n")
    #expect(try run("--case", "lower", "--locale", "tr", input: "IŞIK").text == "ışık\n")
    let bad = try run("--locale", "qqq", input: "")
    #expect(bad.status == 64 && bad.errors.contains("locale"))
  }

  @Test func transformsComeFromFiles() throws {
    try scratch.write("rules.txt", "# German\nä > ae;\nö > oe;\n")
    #expect(try run("--transform", "@rules.txt", input: "schön ä").text == "schoen ae\n")
    let missing = try run("--transform", "@nowhere.txt", input: "x")
    #expect(missing.status == 74 && missing.errors.contains("nowhere.txt"))
    let broken = try run("--transform", "ä > [;", input: "x")
    #expect(broken.status == 64 && broken.errors.contains("transform"))
  }

  @Test func versionsAreRecorded() throws {
    #expect(try run("--summary", "s.json", input: "a\u{378}").text == "a\u{378}\n")
    let summary = try readSummary(scratch.path("s.json"))
    let (icu, unicode) = (summary["icu_version"] as? String, summary["unicode_version"] as? String)
    #expect(icu?.isEmpty == false && unicode?.isEmpty == false)
    #expect(summary["unassigned_characters"] as? Int == 1)
    let version = try Tool.data("--version").text
    #expect(version.contains("ICU \(icu!), Unicode \(unicode!)"))
    #expect(try run("--help").text.contains("ICU \(icu!), Unicode \(unicode!)"))
  }

  @Test func threadsDoNotMatter() throws {
    try scratch.write("in.txt", sample(lines: 300_000))
    for threads in [1, 2, 5] {
      let output = "out\(threads).zst"
      #expect(try run("--threads", "\(threads)", "in.txt", "-o", output).status == 0)
      #expect(
        try Data(contentsOf: scratch.url.appendingPathComponent(output))
          == Data(contentsOf: scratch.url.appendingPathComponent("out1.zst")))
    }
    let twice = try shell("zstd -dc out2.zst > once; pkm-data normalize --quiet once | cmp - once")
    #expect(twice.status == 0, "\(twice.text)")
  }

  @Test func pipes() throws {
    try scratch.write("in.txt", sample(lines: 60_000))
    #expect(try shell("cat in.txt | pkm-data normalize | cmp - <(pkm-data normalize in.txt)").status == 0)
    // The last line has no end, so the first of the second copy joins it.
    #expect(
      try shell("gzip -k in.txt; cat in.txt.gz in.txt.gz | pkm-data normalize | wc -l").text == "119999\n")
    // The reader goes away: no error, no message.
    let head = try shell("pkm-data normalize --quiet in.txt | head -n 2 > /dev/null; echo ${PIPESTATUS[0]}")
    #expect(head.text == "0\n" && head.errors.isEmpty)
    // The writer takes its time.
    let slow = try shell(
      "(for i in 1 2 3; do echo \"line  $i\"; sleep 0.05; done) | pkm-data normalize --threads 2")
    #expect(slow.text == "line 1\nline 2\nline 3\n")
  }

  @Test func jsonKeepsItsFields() throws {
    try scratch.write("a.jsonl", "{\"id\": 1.0, \"text\": \"ﬁ \\u00a0 x\\n\\n\\ny \"}\n{broken\n{\"id\":2}\n")
    let result = try run("a.jsonl", "--summary", "s.json")
    #expect(result.status == 0 && result.text == "{\"id\": 1.0, \"text\": \"fi x\\n\\ny\"}\n")
    #expect(result.errors.contains("a.jsonl:2: ") && result.errors.contains("a.jsonl:3: "))
    let counts = try readSummary(scratch.path("s.json"))
    #expect(counts["json_lines_broken"] as? Int == 1 && counts["json_texts_missing"] as? Int == 1)
    #expect(counts["documents_in"] as? Int == 1 && counts["documents_out"] as? Int == 1)
    #expect(try run("a.jsonl", "--output-format", "text").text == "fi x  y\n")
    let strict = try run("a.jsonl", "--strict", "-o", "strict.jsonl")
    #expect(strict.status == 65 && strict.errors.contains("a.jsonl:2: "))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("strict.jsonl")))
  }

  @Test func damagedInputIsReadUpToTheBreak() throws {
    try scratch.write("in.txt", sample(lines: 50_000))
    let script = "gzip -c in.txt | head -c 60000 > cut.gz; zstd -qc in.txt | head -c 60000 > cut.zst"
    _ = try shell(script)
    for name in ["cut.gz", "cut.zst"] {
      let result = try run(name, "--summary", "s.json")
      #expect(
        result.status == 0 && result.errors.contains("\(name) at byte ") && result.output.count > 10_000)
      #expect(try readSummary(scratch.path("s.json"))["inputs_damaged"] as? Int == 1)
      #expect(try run(name, "--strict").status == 65)
    }
  }

  /// Of several fields of one name, Python, JavaScript and jq keep the last: the one that must be clean.
  @Test func aRepeatedFieldIsItsLast() throws {
    let lines = [
      #"{"text":"A  first","n":{"text":1},"text":"B  \u00e9"}"#,
      #"{"text":"a  b","n":{"text":1},"m":"\"text\""}"#,
      #"{"te\u0078t":"a","x":1, "text" : "c  d" ,"text":"e  f"}"#,
    ]
    let input = lines.joined(separator: "\n") + "\n"
    let result = try run("--quiet", input: input)
    #expect(
      result.text == #"{"text":"A  first","n":{"text":1},"text":"B é"}"# + "\n"
        + #"{"text":"a b","n":{"text":1},"m":"\"text\""}"# + "\n"
        + #"{"te\u0078t":"a","x":1, "text" : "c  d" ,"text":"e f"}"# + "\n")
    #expect(try run("--quiet", "--output-format", "text", input: input).text == "B é\na b\ne f\n")
    // A last value that is no text is none.
    let none = try run("--quiet", "--allow-empty", "--strict", input: #"{"text":"a","text":null}"# + "\n")
    #expect(none.status == 65 && none.errors.contains("not a string"))
  }

  @Test func aHundredMegabyteLine() throws {
    let result = try shell(
      "head -c 100000000 /dev/zero | tr '\\0' 'x' | pkm-data normalize --threads 2 | wc -lc")
    #expect(result.text.split(separator: " ").map { Int($0.filter(\.isNumber)) } == [1, 100_000_001])
  }

  @Test func failuresLeaveNoOutput() throws {
    try scratch.write("in.txt", "text")
    let missing = try run("nowhere.txt", "-o", "out.txt")
    #expect(missing.status == 74 && missing.errors.contains("nowhere.txt"))
    let unwritable = try run("in.txt", "-o", "in.txt/out.txt")
    #expect(unwritable.status == 74 && unwritable.errors.contains("in.txt"))
    let full = try shell("pkm-data normalize in.txt > /dev/full")
    #expect(full.status == 74 && full.errors.contains("No space left"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path) == ["in.txt"])
  }

  @Test func helpShowsExamples() throws {
    let help = try run("--help")
    #expect(help.status == 0 && help.text.contains("cat raw.txt | pkm-data normalize"))
  }
}
