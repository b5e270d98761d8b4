import Foundation
import Shards
import Support
import TestSupport
import Testing

@Suite(.long, .timeLimit(.minutes(60))) struct RunCommandTests {
  /// A directory with texts of two splits and a recipe beside them.
  private struct Workplace {
    let scratch: Scratch
    var stages = [
      "normalize: {form: nfkc}", "dedup: {method: exact}", "learn-bpe: {merges: 150}", "encode",
      "shard: {split: {test: 0.1}, shard-size: 20K}",
    ]

    init(documents: Int = 400) throws {
      scratch = try Scratch()
      try scratch.write("train.txt", Self.text(documents, seed: 1))
      try scratch.write("valid.txt", Self.text(documents / 10, seed: 2))
    }

    static func text(_ documents: Int, seed: UInt64) -> String {
      let words = [
        "the", "ship", "Sails", "over", "a", "grey", "sea", "ﬁne", "weather,", "and", "nobody", "sleeps.",
      ]
      var generator = RandomGenerator(seed: seed)
      return (0..<documents).map { _ in
        (0..<(5 + generator.below(60))).map { _ in words[generator.below(words.count)] }.joined(
          separator: " ")
      }.joined(separator: "\n") + "\n"
    }

    func recipe() -> String {
      let stages = stages.map { "  - \($0)\n" }.joined()
      return
        "inputs: {train: train.txt, valid: valid.txt}\noutput: \(scratch.path("out"))\nstages:\n\(stages)"
    }

    func run(_ more: String...) throws -> Subprocess.Result {
      try scratch.write("recipe.yaml", recipe())
      return try Tool.data.run(
        ["run", scratch.path("recipe.yaml")]
          + (more.contains("--dry-run") ? [] : ["--summary", scratch.path("summary.json")]) + more)
    }

    /// Runs and returns how many steps did something.
    func stepsRun(_ more: String...) throws -> Int {
      try scratch.write("recipe.yaml", recipe())
      let result = try Tool.data.run(
        ["run", scratch.path("recipe.yaml"), "--quiet", "--summary", scratch.path("summary.json")] + more)
      try #require(result.status == 0, "\(result.errors)")
      let json = try JSONSerialization.jsonObject(with: Data(scratch.text("summary.json").utf8))
      return try #require((json as? [String: Any])?["steps_run"] as? Int)
    }

    func output() throws -> [String: Data] { try SampleDataset.files(scratch.path("out")) }
  }

  @Test func fromTextToADatasetAndNoFurther() throws {
    let place = try Workplace()
    let first = try place.run()
    #expect(first.status == 0, "\(first.errors)")
    #expect(try Tool.data("verify", place.scratch.path("out")).status == 0)
    let dataset = try Dataset(place.scratch.path("out"))
    #expect(dataset.splits == ["test", "train", "valid"])
    #expect(dataset.index.recipe?.contains("merges: 150") == true)
    // What made it, with the versions of ICU and Unicode.
    #expect(dataset.index.recipe?.hasPrefix("# pkm-data ") == true)
    #expect(dataset.index.recipe?.contains(", Unicode ") == true)
    #expect(try dataset.totals(of: "valid").documents == 40)
    let steps = try place.scratch.text("out.work/summary.json")
    let json = try #require(JSONSerialization.jsonObject(with: Data(steps.utf8)) as? [String: Any])
    #expect((json["steps"] as? [[String: Any]])?.count == 8)

    let before = try FileManager.default.attributesOfItem(atPath: place.scratch.path("out"))
    let second = try place.run()
    #expect(second.status == 0 && second.errors.contains("up to date"))
    let after = try FileManager.default.attributesOfItem(atPath: place.scratch.path("out"))
    #expect(before[.systemFileNumber] as? Int == after[.systemFileNumber] as? Int)
  }

  @Test func changedOptionsRedoWhatDependsOnThem() throws {
    var place = try Workplace()
    #expect(try place.stepsRun("--threads", "1") == 8)
    let original = try place.output()
    #expect(try place.stepsRun("--threads", "2") == 0)
    place.stages[4] = "shard: {split: {test: 0.2}, shard-size: 20K}"
    #expect(try place.stepsRun() == 1)
    #expect(try place.output() != original)
    #expect(try place.stepsRun("--seed", "7") == 1)
    place.stages[2] = "learn-bpe: {merges: 160}"
    #expect(try place.stepsRun("--seed", "7") == 4)
    place.stages[0] = "normalize: {form: nfc}"
    #expect(try place.stepsRun("--seed", "7") == 8)
    // A change of the texts of valid leaves train and its tokenizer alone.
    try place.scratch.write("valid.txt", Workplace.text(30, seed: 9))
    #expect(try place.stepsRun("--seed", "7") == 4)
    #expect(try Tool.data("verify", place.scratch.path("out")).status == 0)
    // Comments and the sections for training change nothing.
    try place.scratch.write("recipe.yaml", place.recipe() + "model: {layers: 2}  # small\n")
    let unchanged = try Tool.data("run", place.scratch.path("recipe.yaml"), "--seed", "7")
    #expect(unchanged.status == 0 && unchanged.errors.contains("up to date"))
    // Back to the first recipe: the same bytes as the first time. Old outputs have been removed meanwhile.
    place = try Workplace()
    #expect(try place.stepsRun() == 8)
    #expect(try withoutRecipe(place.output()) == withoutRecipe(original))
  }

  /// The recipe names the output, which differs between workplaces.
  private func withoutRecipe(_ files: [String: Data]) -> [String: Data] {
    var files = files
    files["index.json"] = files["index.json"].map { data in
      Data(
        String(decoding: data, as: UTF8.self).split(separator: "\n").filter { !$0.contains("\"recipe\"") }
          .joined(separator: "\n").utf8)
    }
    return files
  }

  /// It bounds the stages that grow, and changes nothing of what they make.
  @Test func memoryIsHandedToTheStages() throws {
    var place = try Workplace()
    #expect(try place.stepsRun() > 0)
    let bytes = try place.output()
    #expect(try place.stepsRun("--memory", "70M") == 0)
    try FileManager.default.removeItem(atPath: place.scratch.path("out"))
    try FileManager.default.removeItem(atPath: place.scratch.path("out.work"))
    #expect(try place.stepsRun("--memory", "1M") > 0)
    #expect(try place.output() == bytes)
    // What a stage has of its own stands.
    place.stages[1] = "dedup: {memory: lots}"
    let wrong = try place.run("--memory", "1M")
    #expect(wrong.status == 64 && wrong.errors.contains("'lots' is invalid for '--memory <size>'"))
  }

  @Test func dryRunTellsWhy() throws {
    var place = try Workplace()
    let fresh = try place.run("--dry-run")
    #expect(fresh.status == 0 && fresh.text.contains("normalize train: would run, not done yet"))
    #expect(!FileManager.default.fileExists(atPath: place.scratch.path("out.work")))
    _ = try place.stepsRun()
    place.stages[2] = "learn-bpe: {merges: 99}"
    let changed = try place.run("--dry-run")
    #expect(
      changed.text == """
        normalize train: done
        dedup train: done
        normalize valid: done
        dedup valid: done
        learn-bpe: would run, its options were --merges=150
        encode train: would run, its input is made anew
        encode valid: would run, its input is made anew
        shard: would run, its input is made anew

        """)
  }

  @Test func datasetsMayBeTheInputs() throws {
    let scratch = try Scratch()
    try SampleDataset.write(scratch.path("a"), seed: 1)
    try SampleDataset.write(scratch.path("b"), seed: 2)
    let recipe = try scratch.write(
      "recipe.yaml",
      "inputs: [a, b]\noutput: \(scratch.path("out"))\nstages: [shard: {split: {valid: 0.5}}]\n")
    #expect(try Tool.data("run", recipe).status == 0)
    let dataset = try Dataset(scratch.path("out"))
    #expect(try dataset.splits.map { try dataset.totals(of: $0).documents }.reduce(0, +) == 1000)
  }

  @Test func aDamagedResultIsMadeAgainBeforeItIsPublished() throws {
    let place = try Workplace()
    #expect(try place.stepsRun() == 8)
    let expected = try place.output()
    // The files of the output and of the work directory are the same files: damage of one is damage of both.
    let shard = try #require(FileHandle(forUpdatingAtPath: place.scratch.path("out/train-00000.tokens.zst")))
    try shard.seek(toOffset: 100)
    try shard.write(contentsOf: Data([1, 2, 3, 4]))
    try shard.close()
    try FileManager.default.removeItem(atPath: place.scratch.path("out"))
    let again = try place.run()
    #expect(again.status == 0 && again.errors.contains("is made again"), "\(again.errors)")
    #expect(try readSummary(place.scratch.path("summary.json"))["steps_run"] as? Int == 1)
    #expect(try place.output() == expected)
  }

  @Test func somethingElseBesideTheDatasetIsNeverDeleted() throws {
    var place = try Workplace()
    #expect(try place.stepsRun() == 8)
    try place.scratch.write("out/notes.txt", "mine")
    place.stages[4] = "shard: {split: {test: 0.3}}"
    let refused = try place.run()
    #expect(refused.status == 74 && refused.errors.contains("out/notes.txt: does not belong to the dataset"))
    #expect(try place.scratch.text("out/notes.txt") == "mine")
    try FileManager.default.removeItem(atPath: place.scratch.path("out/notes.txt"))
    #expect(try place.stepsRun() == 0)
    #expect(try Tool.data("verify", place.scratch.path("out")).status == 0)
  }

  @Test func twoRunsInOnePlaceAreRefused() throws {
    let place = try Workplace()
    try FileManager.default.createDirectory(
      atPath: place.scratch.path("out.work"), withIntermediateDirectories: true)
    let descriptor = open(place.scratch.path("out.work/lock"), O_RDWR | O_CREAT, 0o644)
    defer { close(descriptor) }
    #expect(flock(descriptor, LOCK_EX) == 0)
    let refused = try place.run()
    #expect(refused.status == 1 && refused.errors.contains("another process is working in"))
    flock(descriptor, LOCK_UN)
    #expect(try place.run().status == 0)
  }

  @Test func aForeignOutputIsLeftAlone() throws {
    let place = try Workplace()
    try FileManager.default.createDirectory(
      atPath: place.scratch.path("out"), withIntermediateDirectories: true)
    try place.scratch.write("out/thesis.txt", "ten years of work")
    let refused = try place.run()
    #expect(refused.status == 74 && refused.errors.contains("was not made by this recipe"))
    #expect(try place.scratch.text("out/thesis.txt") == "ten years of work")
    try FileManager.default.removeItem(atPath: place.scratch.path("out"))
    // A sound dataset of someone else is foreign too.
    try SampleDataset.write(place.scratch.path("out"))
    #expect(try place.run().status == 74)
    #expect(try Dataset(place.scratch.path("out")).index.vocabularySize == 300)
  }

  @Test func splitsBecomeOneDatasetWithoutAShardStage() throws {
    var place = try Workplace()
    place.stages = ["learn-bpe: {merges: 50}", "encode"]
    #expect(try place.stepsRun() == 4)
    let dataset = try Dataset(place.scratch.path("out"))
    #expect(dataset.splits == ["train", "valid"])
    #expect(try dataset.totals(of: "train").documents == 400)
    #expect(try dataset.totals(of: "train").words > 400)
  }

  @Test(arguments: [
    ("normalise: {form: nfc}", 4, "no stage is called \"normalise\". Did you mean \"normalize\"?"),
    ("normalize: {from: nfc}", 4, "normalize has no option \"from\". Did you mean \"form\"?"),
    ("normalize: {form: nfx}", 4, "The value 'nfx' is invalid"),
    ("normalize: {strip-accents: maybe}", 4, "\"strip-accents\" of normalize is true or false"),
    ("normalize: {form: [nfc, nfd]}", 4, "takes one value, not a list"),
    ("normalize: {output: x}", 4, "set by the run itself"),
    ("normalize: {form: nfc, form: nfd}", 4, "the key \"form\" is there twice"),
    ("inspect: {}", 4, "no stage is called \"inspect\""),
    ("normalize: [form]", 4, "the options of normalize must be a map"),
    ("shard: {}", 4, "shard works on datasets"),
    ("encode: {}", 4, "encode has no tokenizer"),
    ("encode: {tokenizer: none.json}", 4, "none.json does not exist"),
    ("normalize: {}", 4, "the recipe makes no dataset"),
    ("learn-bpe: {merges: many}", 4, "The value 'many' is invalid"),
    ("normalize: {", 5, "not valid YAML"),
  ]) func mistakesAreNamedWithTheirLine(stage: String, line: Int, message: String) throws {
    var place = try Workplace(documents: 10)
    place.stages = [stage]
    let result = try place.run()
    #expect(result.status == 64)
    #expect(result.errors.contains("recipe.yaml:\(line): "), "\(result.errors)")
    #expect(result.errors.contains(message), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.scratch.path("out.work")))
  }

  @Test(arguments: [
    ("output: x\nstages: [encode]\n", "the key \"inputs\" is missing"),
    (
      "input: a.txt\noutput: x\nstages: [encode]\n",
      "recipe.yaml:1: unknown key \"input\". Did you mean \"inputs\"?"
    ),
    ("inputs: a.txt\noutput: x\nstages: []\n", "there are no stages"),
    ("inputs: {}\noutput: x\nstages: [encode]\n", "there are no inputs"),
    ("- a\n", "a recipe must be a map"),
    ("", "the recipe is empty"),
  ]) func mistakesOfTheFrame(text: String, message: String) throws {
    let scratch = try Scratch()
    let result = try Tool.data("run", scratch.write("recipe.yaml", text))
    #expect(result.status == 64 && result.errors.contains(message), "\(result.errors)")
  }

  /// Paths are then relative to the current directory; the dataset is that of a recipe in a file.
  @Test func aRecipeComesThroughAPipe() throws {
    var place = try Workplace(documents: 50)
    place.stages = ["learn-bpe: {merges: 50}", "encode", "shard: {packing: document}"]
    #expect(try place.run().status == 0)
    let written = try place.output()
    #expect(try Dataset(place.scratch.path("out")).index.packing == .document)
    for (command, recipe) in [("-", Data(place.recipe().utf8)), ("/dev/stdin", Data())] {
      for name in ["out", "out.work"] {
        try FileManager.default.removeItem(atPath: place.scratch.path(name))
      }
      let result =
        command == "-"
        ? try Tool.data("run", "-", "--quiet", input: recipe, in: place.scratch.url)
        : try runShell("cat recipe.yaml | pkm-data run /dev/stdin --quiet", in: place.scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      #expect(try place.output() == written)
    }
  }

  @Test func missingInputs() throws {
    let scratch = try Scratch()
    let recipe = try scratch.write("recipe.yaml", "inputs: '*.txt'\noutput: x\nstages: [normalize]\n")
    let result = try Tool.data("run", recipe)
    #expect(result.status == 74 && result.errors.contains("recipe.yaml:1: the input"), "\(result.errors)")
    try scratch.write("texts.txt", "a\n")
    try scratch.write(
      "recipe.yaml", "inputs: {valid: texts.txt,\n  train: text.txt}\noutput: x\nstages: [encode]\n")
    let near = try Tool.data("run", recipe)
    #expect(near.errors.contains("recipe.yaml:2: the input"), "\(near.errors)")
    #expect(near.errors.contains("does not exist. Did you mean \"texts.txt\"?"), "\(near.errors)")
    #expect(try Tool.data("run", scratch.path("none.yaml")).status == 74)
  }
}
