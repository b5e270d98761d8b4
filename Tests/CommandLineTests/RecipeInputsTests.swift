import Foundation
import Shards
import Support
import TestSupport
import Testing

/// Recipes list their inputs as commands do, and never read what they write.
@Suite(.timeLimit(.minutes(60))) struct RecipeInputsTests {
  private let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    for (name, text) in [("a", "one"), ("b/b", "two"), ("b/c/c", "three"), ("b/c/d/d", "four")] {
      try scratch.write("in/\(name).txt", "\(text) words of a text\n")
    }
  }

  private func recipe(
    _ inputs: String, output: String = "out", stages: [String] = ["learn-bpe: {merges: 5}", "encode"]
  ) throws {
    try scratch.write(
      "recipe.yaml",
      "inputs: \(inputs)\noutput: \(output)\nstages:\n" + stages.map { "  - \($0)\n" }.joined())
  }

  private func run(_ more: String...) throws -> Subprocess.Result {
    try Tool.data.run(["run", "recipe.yaml", "--summary", "s.json"] + more, in: scratch.url)
  }

  private func documents(_ split: String = "train", in output: String = "out") throws -> Int {
    try Dataset(scratch.path(output)).totals(of: split).documents
  }

  @Test func aRecipeMayBeginWithAByteOrderMark() throws {
    try scratch.write(
      "recipe.yaml", "\u{feff}inputs: in\r\noutput: out\r\nstages: [learn-bpe: {merges: 5}, encode]\r\n")
    let result = try run()
    #expect(result.status == 0, "\(result.errors)")
    #expect(try documents() == 4)
  }

  @Test func aPatternMeansTheSameInRecipesAndCommands() throws {
    for (pattern, count) in [
      ("in/**", 4), ("in/**/*.txt", 4), ("in/*", 4), ("in/*.txt", 1), ("in/b/**/d.txt", 1),
    ] {
      let listed = try Tool.data("normalize", pattern, in: scratch.url).text.split(separator: "\n").count
      #expect(listed == count, "\(pattern)")
      try recipe("'\(pattern)'")
      let result = try run()
      #expect(result.status == 0, "\(result.errors)")
      #expect(try documents() == count, "\(pattern)")
    }
  }

  /// Each file is read once, however many inputs and links lead to it.
  @Test func aFileIsReadOnce() throws {
    #expect(try runShell("cd in; ln -s a.txt link.txt; ln a.txt hard.txt", in: scratch.url).status == 0)
    for (inputs, repeated) in [
      (["in"], 2), (["in", "in/a.txt"], 3), (["in/a.txt", "in"], 3), (["in", "in"], 8), (["in/**", "in"], 8),
    ] {
      let result = try Tool.data.run(["normalize", "--summary", "n.json"] + inputs, in: scratch.url)
      #expect(result.text.split(separator: "\n").count == 4, "\(inputs)")
      #expect(try readSummary(scratch.path("n.json"))["inputs_skipped_repeated"] as? Int == repeated)
      try recipe("[\(inputs.map { "'\($0)'" }.joined(separator: ", "))]")
      let run = try run()
      #expect(run.status == 0 && run.errors.contains(", read once"), "\(run.errors)")
      #expect(try documents() == 4, "\(inputs)")
    }
    let twice = try Tool.data("normalize", "in/a.txt", "in/a.txt", "in/hard.txt", in: scratch.url)
    #expect(twice.text == "one words of a text\n")
    #expect(twice.errors.contains("in/a.txt: is given more than once and read once"))
    #expect(twice.errors.contains("in/hard.txt: is the same file as in/a.txt, read once"))
    // Standard input is read beside a file of the same content.
    let piped = try Tool.data("normalize", "in/a.txt", "-", input: Data("x\n".utf8), in: scratch.url)
    #expect(piped.text == "one words of a text\nx\n")
  }

  @Test func countsAndDatasetsAreReadOnce() throws {
    func shell(_ script: String) throws -> Subprocess.Result { try runShell(script, in: scratch.url) }
    #expect(try shell("pkm-data count-words --quiet in/a.txt -o a.counts; ln a.counts b.counts").status == 0)
    let merged = try shell("pkm-data count-words --merge a.counts b.counts a.counts --summary m.json")
    let counts = try scratch.text("a.counts")
    #expect(merged.status == 0 && merged.text == counts, "\(merged.errors)")
    #expect(try readSummary(scratch.path("m.json"))["inputs_skipped_repeated"] as? Int == 2)
    let learned = try shell(
      "pkm-data learn-bpe --merges 2 --counts a.counts --counts a.counts -o bpe.json --summary l.json")
    #expect(learned.status == 0, "\(learned.errors)")
    #expect(try readSummary(scratch.path("l.json"))["inputs_skipped_repeated"] as? Int == 1)
    #expect(
      try readSummary(scratch.path("l.json"))["pre_tokens"] as? Int
        == readSummary(scratch.path("m.json"))["pre_tokens"] as? Int)

    #expect(try shell("pkm-data encode --quiet --tokenizer bpe.json in -o data/").status == 0)
    let twice = try shell("pkm-data shard data data/ -o twice")
    #expect(twice.status == 64 && twice.errors.contains("is given twice; --epochs says"), "\(twice.errors)")
    #expect(try shell("pkm-data export --quiet data --format numpy -o arrays").status == 0)
    let imported = try shell(
      "pkm-data import arrays arrays/train.npy --tokenizer bpe.json -o again --summary i.json")
    #expect(imported.status == 0, "\(imported.errors)")
    #expect(try documents(in: "again") == 4)
    #expect(try readSummary(scratch.path("i.json"))["inputs_skipped_repeated"] as? Int == 1)
  }

  @Test func pipesCyclesAndBadNamesEndAtOnce() throws {
    let made = try runShell("mkfifo in/pipe; ln -s . in/x; ln -s . in/y; mkfifo named", in: scratch.url)
    #expect(made.status == 0)
    try recipe("in")
    let started = Progress.now()
    let result = try run()
    #expect(result.status == 0, "\(result.errors)")
    #expect(try documents() == 4)
    for (input, word) in [
      ("named", "is no regular file"), ("\"\\0\"", "NUL"), ("\"in\\0x\"", "NUL"),
      ("in/none", "does not exist"),
      ("/dev/zero", "is no regular file"), ("'in/*.none'", "no file matches"),
    ] {
      try recipe(input)
      let refused = try run()
      #expect(
        [64, 74].contains(refused.status) && refused.errors.contains(word), "\(input): \(refused.errors)")
    }
    #expect(Progress.now() - started < 20)
  }

  @Test func aRecipeDoesNotReadWhatItWrites() throws {
    try recipe(".", output: "in/out")
    for _ in 0..<3 {
      let result = try run("--summary", "in/summary.json")
      #expect(result.status == 0, "\(result.errors)")
      #expect(try documents(in: "in/out") == 4)
    }
    #expect(try run("--summary", "in/summary.json").errors.contains("up to date"))
    // The output of another recipe is none of its texts either.
    try recipe("in", output: "second")
    #expect(try run("--summary", "in/summary.json").status == 0)
    #expect(try documents(in: "second") == 4)
  }

  @Test func aHeldOutFileInTheTrainingInputIsTakenOut() throws {
    for valid in ["in/b/b.txt", "'in/b/b.t*'"] {
      try recipe("{train: in, valid: \(valid)}")
      let result = try run()
      #expect(result.status == 0, "\(result.errors)")
      #expect(try documents() == 3 && documents("valid") == 1)
      #expect(result.errors.contains("in/b/b.txt: belongs to the split valid and is left out of this one"))
      #expect(try readSummary(scratch.path("s.json"))["inputs_skipped_held_out"] as? Int == 1)
    }
    // By any name.
    link(scratch.path("in/a.txt"), scratch.path("held.txt"))
    try recipe("{train: in, valid: held.txt, test: in/b/c}")
    #expect(try run().status == 0)
    #expect(try [documents(), documents("valid"), documents("test")] == [1, 1, 2])
    for inputs in ["{train: in/a.txt, valid: in/a.txt}", "{valid: in/b, test: in/b, train: in/a.txt}"] {
      try recipe(inputs)
      let refused = try run()
      #expect(refused.status == 64 && refused.errors.contains("is in the splits"), "\(refused.errors)")
    }
    try recipe("{train: in/b/b.t*, valid: in/b/b.txt}")
    #expect(try run().errors.contains("all files of the split train belong to other splits"))
  }

  @Test func noNameIsAnOption() throws {
    for output in ["--summary=ev", "--dry-run", "-o", "a b"] {
      try recipe(
        "in", output: "\"\(output)\"", stages: ["dedup", "learn-bpe: {merges: 5}", "encode", "shard"])
      let result = try run("--keep-all")
      #expect(result.status == 0, "\(output): \(result.errors)")
      #expect(try documents(in: output) == 4)
    }
    #expect(!scratch.names.contains("ev") && !scratch.names.contains("ev.work"))
    try scratch.write("-x.txt", "five\n")
    try recipe("[in, -x.txt, '-*.txt']")
    #expect(try run().status == 0)
    for split in ["../x", "a/b", "\"a b\"", "--x=y", "\"\""] {
      try recipe("{train: in, \(split): in/a.txt}")
      let refused = try run()
      #expect(refused.status == 64 && refused.errors.contains("split"), "\(split): \(refused.errors)")
    }
    for stage in [
      "normalize: {transform: --summary=ev}", "filter: {set: --summary=ev}", "dedup: {key: --quiet}",
    ] {
      try recipe("in", stages: [stage, "learn-bpe", "encode"])
      #expect(try run().status != 0 && !scratch.names.contains("ev"), "\(stage)")
    }
  }

  @Test func theReportsOfTwoSplitsAreTwoFiles() throws {
    try scratch.write("in/a.txt", "same\nsame\n")
    try scratch.write("held.txt", "other\nother\nother\n")
    try recipe(
      "{train: in/a.txt, valid: held.txt}",
      stages: ["dedup: {report: removed.jsonl}", "learn-bpe: {merges: 2}", "encode"])
    #expect(try run().status == 0)
    #expect(try scratch.text("removed.train.jsonl").split(separator: "\n").count == 1)
    #expect(try scratch.text("removed.valid.jsonl").split(separator: "\n").count == 2)
    try recipe("in/a.txt", output: "x", stages: ["dedup: {report: x}", "learn-bpe", "encode"])
    #expect(try run().errors.contains("are the same file"))
  }

  @Test func theReportOfAStageIsNoInput() throws {
    try scratch.write("in/a.txt", "same\nsame\n")
    try recipe("in", stages: ["dedup: {report: in/removed.jsonl}", "learn-bpe: {merges: 2}", "encode"])
    for _ in 0..<2 {
      let result = try run()
      #expect(result.status == 0 && !result.errors.contains("no field"), "\(result.errors)")
    }
    try recipe("in", stages: ["dedup: {report: recipe.yaml}", "learn-bpe: {merges: 2}", "encode"])
    let before = try scratch.text("recipe.yaml")
    #expect(try run().status == 64)
    #expect(try scratch.text("recipe.yaml") == before)
  }

  /// The dataset goes where a link leads, and the link stays.
  @Test func theOutputMayBeALink() throws {
    try recipe("in", output: "link", stages: ["learn-bpe: {merges: 2}", "encode"])
    for target in ["new", "empty"] {
      try FileManager.default.createDirectory(
        atPath: scratch.path("empty"), withIntermediateDirectories: true)
      unlink(scratch.path("link"))
      try FileManager.default.createSymbolicLink(
        atPath: scratch.path("link"), withDestinationPath: target)
      for _ in 0..<2 {
        let result = try run()
        #expect(result.status == 0, "\(result.errors)")
        try scratch.write("in/more-\(target).txt", "more\n")
      }
      let directory = try FileManager.default.attributesOfItem(atPath: scratch.path("link"))
      #expect(directory[.type] as? FileAttributeType == .typeSymbolicLink)
      #expect(try documents(in: target) == documents(in: "link"))
      #expect(scratch.names.contains("\(target).work"))
    }
  }

  @Test func aReferenceBombIsRefused() throws {
    let levels = (1...9).map {
      "a\($0): &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 9).joined(separator: ","))]"
    }
    try scratch.write(
      "recipe.yaml",
      "a0: &a0 [x,x,x]\n" + levels.joined(separator: "\n") + "\ninputs: *a9\noutput: o\nstages: [*a9]\n")
    let started = Progress.now()
    for tool in [Tool.data, Tool.train] {
      let arguments =
        tool.name == "pkm-data"
        ? ["run", "recipe.yaml"] : ["train", "--config", "recipe.yaml", "--data", "d", "-o", "r"]
      let result = try tool.run(arguments, in: scratch.url)
      #expect(result.status == 64 && result.errors.contains("too many references"), "\(result.errors)")
    }
    #expect(Progress.now() - started < 5)
    // A few are what they are for.
    try scratch.write(
      "recipe.yaml", "inputs: &in in\noutput: out\nstages:\n  - learn-bpe: &o {merges: 5}\n  - encode\n")
    #expect(try run().status == 0)
  }

  @Test func aRecipeFromAStreamIsRelativeToTheCurrentDirectory() throws {
    try recipe("in")
    for name in ["/dev/stdin", "-", "/dev/fd/0", "/proc/self/fd/0"] {
      let result = try runShell("pkm-data run --quiet \(name) < recipe.yaml", in: scratch.url)
      #expect(result.status == 0, "\(name): \(result.errors)")
    }
    #expect(try documents() == 4)
  }
}
