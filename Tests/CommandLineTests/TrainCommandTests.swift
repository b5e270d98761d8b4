import Foundation
import Shards
import TestSupport
import Testing

/// The two tools together: text to dataset to model, as a user would run them.
@Suite(.long, .timeLimit(.minutes(60))) struct TrainCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private let recipe = """
    model: {layers: 2, dim: 32, heads: 2, context: 32, memory: {layers: [2], subkeys: 8, heads: 2, topk: 4, query_dim: 16}}
    train: {batch: 4, steps: 40, lr: 3.0e-3, warmup: 5, eval_every: 20, checkpoint_every: 5, log_every: 5}
    """

  /// Sentences of a small grammar: real enough to learn from, and none of anybody's.
  private func makeDataset() throws -> String {
    let subjects = ["the cat", "a dog", "my uncle", "the old ship"], verbs = ["sees", "follows", "forgets"]
    let text = (0..<600).map { index in
      "\(subjects[index % 4]) \(verbs[index * 7 % 3]) \(subjects[(index * 5 + 1) % 4]) \(index % 10) times."
    }.joined(separator: "\n")
    try scratch.write("text.txt", text + "\n")
    #expect(
      try Tool.data("learn-bpe", "--merges", "60", "-o", "bpe.json", "text.txt", in: scratch.url).status == 0)
    #expect(
      try Tool.data("encode", "--tokenizer", "bpe.json", "-o", "all/", "text.txt", in: scratch.url).status
        == 0)
    let shard = try Tool.data("shard", "all", "--split", "test=0.1", "-o", "data", in: scratch.url)
    #expect(shard.status == 0, "\(shard.errors)")
    try scratch.write("recipe.yaml", recipe)
    return scratch.path("data")
  }

  private func train(_ output: String, _ more: String...) throws -> Subprocess.Result {
    try Tool.train.run(
      ["train", "--config", "recipe.yaml", "--data", "data", "-o", output, "--quiet"] + more, in: scratch.url)
  }

  private func model(_ run: String) throws -> Data {
    try Data(contentsOf: scratch.url.appendingPathComponent("\(run)/step-00000040/model.safetensors"))
  }

  @Test func trainsEvaluatesAndGenerates() throws {
    _ = try makeDataset()
    let result = try train("run", "--summary", "train.json")
    #expect(result.status == 0, "\(result.errors)")
    #expect(try scratch.text("run/latest") == "step-00000040\n")

    let eval = try Tool.train(
      "eval", "--checkpoint", "run", "--split", "test", "--baseline", "--summary", "eval.json",
      in: scratch.url)
    #expect(eval.status == 0, "\(eval.errors)")
    let summary = try #require(
      try JSONSerialization.jsonObject(with: Data(scratch.text("eval.json").utf8)) as? [String: Any])
    let before = try #require(summary["baseline_perplexity"] as? Double)
    let after = try #require(summary["perplexity"] as? Double)
    // 60 merges, 256 bytes and the end of a document.
    #expect(abs(before / 317 - 1) < 0.2 && after < before / 2)
    #expect((summary["memory_usage"] as? Double).map { $0 > 0 && $0 <= 1 } == true)

    let texts = try (0..<2).map { _ in
      try Tool.train(
        "generate", "--checkpoint", "run", "--tokens", "20", "--seed", "3", "--quiet", "the cat",
        in: scratch.url)
    }
    #expect(texts[0].status == 0 && texts[0].text.hasPrefix("the cat"))
    #expect(texts[0].output == texts[1].output)
    let piped = try Tool.train(
      "generate", "--checkpoint", "run", "--tokens", "5", "--quiet", input: Data("a\nb\n".utf8),
      in: scratch.url)
    #expect(piped.status == 0 && piped.text.split(separator: "\n").count >= 2)
    // Side by side, in the order of the prompts, and the same texts.
    func many(_ batch: String) throws -> Subprocess.Result {
      try Tool.train(
        "generate", "--checkpoint", "run", "--tokens", "9", "--quiet", "--batch", batch,
        input: Data("the cat\na dog\nmy uncle sees\n".utf8), in: scratch.url)
    }
    let (single, batched) = (try many("1"), try many("2"))
    #expect(single.status == 0 && batched.status == 0, "\(batched.errors)")
    #expect(single.output == batched.output)
  }

  @Test func killedRunResumesToTheSameBytes() throws {
    _ = try makeDataset()
    #expect(try train("whole").status == 0)
    for milliseconds in [60, 150, 250, 400] {
      let process = Process()
      process.executableURL = Tool.directory.appendingPathComponent("pkm-train")
      process.arguments = [
        "train", "--config", "recipe.yaml", "--data", "data", "-o", "killed", "--quiet", "--resume",
      ]
      process.currentDirectoryURL = scratch.url
      try process.run()
      usleep(UInt32(milliseconds) * 1000)
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
    let last = try train("killed", "--resume")
    #expect(last.status == 0, "\(last.errors)")
    #expect(try model("killed") == model("whole"))
    let leftovers = try FileManager.default.contentsOfDirectory(atPath: scratch.path("killed"))
      .filter { $0.contains(".tmp-") }
    #expect(leftovers.isEmpty)
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func interruptedRunSavesAndExitsWith130(signal: Int32) throws {
    _ = try makeDataset()
    let process = Process()
    process.executableURL = Tool.directory.appendingPathComponent("pkm-train")
    process.arguments = [
      "train", "--config", "recipe.yaml", "--data", "data", "-o", "run", "--quiet", "--set",
      "train.steps=100000",
      "--set", "train.checkpoint_every=0",
    ]
    process.currentDirectoryURL = scratch.url
    process.standardError = FileHandle.nullDevice
    try process.run()
    let metrics = scratch.path("run/metrics.jsonl")
    for _ in 0..<1200 {
      if let lines = try? String(contentsOfFile: metrics, encoding: .utf8), lines.contains("\"loss\"") {
        break
      }
      usleep(50_000)
    }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 130)
    let latest = try scratch.text("run/latest")
    #expect(latest.hasPrefix("step-") && latest != "step-00000000\n")
  }

  /// Lower precision and another library are a setting and a flag, and the log names what multiplies.
  @Test func precisionAndLibraryAreChosen() throws {
    _ = try makeDataset()
    let result = try Tool.train(
      "train", "--config", "recipe.yaml", "--data", "data", "-o", "run", "--set", "train.precision=bf16",
      "--blas", "generic", in: scratch.url)
    #expect(result.status == 0 && result.errors.contains("matmul: our own GEMM, bfloat16"))
    func perplexity(_ more: String...) throws -> Double {
      let eval = try Tool.train.run(
        [
          "eval", "--checkpoint", "run", "--split", "test", "--blas", "generic", "--summary", "eval.json",
        ] + more, in: scratch.url)
      #expect(eval.status == 0, "\(eval.errors)")
      return try #require(readSummary(scratch.path("eval.json"))["perplexity"] as? Double)
    }
    let (own, exact) = (try perplexity(), try perplexity("--precision", "fp32"))
    #expect(try own == perplexity("--precision", "bf16"))
    #expect(own != exact && abs(own / exact - 1) < 0.02)
    #expect(
      try Tool.train(
        "generate", "--checkpoint", "run", "--tokens", "3", "--precision", "fp32", "a", in: scratch.url
      ).status == 0)
    let precision = try train("other", "--set", "train.precision=fp8")
    #expect(precision.status == 64 && precision.errors.contains("precision"))
    #expect(try train("other", "--blas", "mkl").status == 64)
    #expect(try train("other", "--kernels", "sse9").status == 64)
    // Kernels for any processor, which the checkpoint names.
    let plain = try train("plain", "--kernels", "plain", "--blas", "generic")
    #expect(plain.status == 0, "\(plain.errors)")
    let latest = try scratch.text("plain/latest").trimmingCharacters(in: .newlines)
    let state = try scratch.text("plain/\(latest)/trainer.json")
    #expect(state.contains("\"kernels\" : \"plain\"") && state.contains("\"blas\" : \"generic\""))
    // What was begun in one precision does not go on in another.
    #expect(try train("run", "--resume").status == 64)
  }

  /// What a run may change when it goes on, and what another run takes from it.
  @Test func runsGoOnAndBeginWithOthers() throws {
    _ = try makeDataset()
    let first = try Tool.train.run(
      [
        "train", "--config", "recipe.yaml", "--data", "data", "-o", "run", "--set", "train.schedule=cosine",
        "--set", "model.memory=null",
      ], in: scratch.url)
    #expect(first.status == 0 && first.errors.contains("no memory (a dense model)"), "\(first.errors)")
    func go(_ more: String...) throws -> Subprocess.Result {
      try Tool.train.run(
        [
          "train", "--config", "recipe.yaml", "--data", "data", "--set", "train.schedule=cosine", "--set",
          "model.memory=null", "-o", "run",
        ] + more, in: scratch.url)
    }
    let done = try go("--resume")
    #expect(done.status == 0 && done.errors.contains("all 40 steps are done; a larger train.steps goes on"))
    let fewer = try go("--resume", "--set", "train.steps=30")
    #expect(fewer.status == 64 && fewer.errors.contains("train.steps is 30, but the run has done 40 steps"))
    let more = try go("--resume", "--set", "train.steps=60")
    #expect(
      more.status == 0
        && more.errors.contains(
          "train.steps was 40, is 60: the schedule cosine is that of 60 steps from here on, so the next "
            + "learning rate is 0.001089, not 0.0003"),
      "\(more.errors)")
    let older = try go("--resume-from", "step-00000055", "--set", "train.steps=60")
    #expect(
      older.status == 0 && older.errors.contains("later checkpoints are set aside: step-00000060.set-aside"))

    // With a memory now, whose shape the recipe gives; the rest of the model is that of the checkpoint.
    try scratch.write(
      "memory.yaml", "model: {memory: {layers: [1], subkeys: 8, heads: 2, topk: 4, query_dim: 16}}")
    let tuned = try Tool.train.run(
      [
        "train", "--init-from", "run", "--config", "memory.yaml", "--data", "data", "-o", "tuned", "--set",
        "train.steps=3", "--set", "train.freeze=[embeddings]", "--set", "train.lr_scales.attention=0.1",
      ], in: scratch.url)
    #expect(tuned.status == 0, "\(tuned.errors)")
    #expect(tuned.errors.contains("parameters of run/step-00000060, step 60"))
    #expect(tuned.errors.contains("drawn anew: blocks.0.memory.query.weight, "))
    #expect(
      tuned.errors.contains("left out: blocks.0.feed_forward.input.bias, "), "\(tuned.errors)")
    let deeper = try Tool.train.run(
      ["train", "--init-from", "run", "--data", "data", "-o", "deep/er", "--set", "model.layers=3"],
      in: scratch.url)
    #expect(deeper.status == 64 && deeper.errors.contains("model.layers is 2 there, 3 in the recipe"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("deep")))
  }

  /// The dataset that training noted is found from its directory alone.
  @Test func evalElsewhereAsksForTheData() throws {
    _ = try makeDataset()
    #expect(try train("run", "--set", "train.steps=2").status == 0)
    try FileManager.default.createDirectory(
      atPath: scratch.path("elsewhere"), withIntermediateDirectories: false)
    let elsewhere = scratch.url.appendingPathComponent("elsewhere")
    let lost = try Tool.train("eval", "--checkpoint", "../run", in: elsewhere)
    #expect(lost.status == 74 && lost.errors.contains("Name the dataset with --data"), "\(lost.errors)")
    #expect(try Tool.train("eval", "--checkpoint", "../run", "--data", "../data", in: elsewhere).status == 0)
  }

  /// A model of bytes that has learned nothing ends within characters all the time.
  @Test func aTextIsWholeCharacters() throws {
    _ = try makeDataset()
    #expect(try train("run", "--set", "train.steps=1").status == 0)
    for tokens in 1...20 {
      let text = try Tool.train.run(
        [
          "generate", "--checkpoint", "run", "--tokens", "\(tokens)", "--temperature", "5", "--seed",
          "\(tokens)", "--quiet", "é",
        ], in: scratch.url)
      #expect(text.status == 0 && String(validating: text.output, as: UTF8.self) != nil)
    }
  }

  /// Two runs on one page: every logged number is drawn, and the key in which they differ is named.
  @Test func reportShowsTheRuns() throws {
    _ = try makeDataset()
    let shard = try Tool.data("shard", "all", "--split", "valid=0.1", "-o", "held", in: scratch.url)
    #expect(shard.status == 0, "\(shard.errors)")
    #expect(try train("a&b", "--data", "held").status == 0)
    #expect(try train("dense", "--data", "held", "--set", "model.memory=null").status == 0)
    let result = try Tool.train("report", "a&b", "dense", "-o", "page.html", in: scratch.url)
    #expect(result.status == 0, "\(result.errors)")
    let page = try scratch.text("page.html")
    #expect(page.contains("a&amp;b") && !page.contains("a&b"))
    // Nine charts; the memory's two have one curve only, the others one for each run.
    #expect(page.components(separatedBy: "<svg").count - 1 == 9)
    #expect(page.components(separatedBy: "<polyline").count - 1 == 16)
    #expect(page.contains("model.memory.topk"))
    for reference in ["<script", "http:", "https:", "src=", "url("] { #expect(!page.contains(reference)) }

    // A run without a checkpoint, its last line cut off, is one under way.
    for name in ["latest", "step-00000040", "step-00000035"] {
      try FileManager.default.removeItem(atPath: scratch.path("dense/\(name)"))
    }
    try scratch.write("dense/metrics.jsonl", scratch.text("dense/metrics.jsonl") + "{\"step\":")
    #expect(try Tool.train("report", "dense", in: scratch.url).status == 0)
    #expect(try scratch.text("dense/report.html").contains("<polyline"))
    #expect(try Tool.train("report", "data", in: scratch.url).status == 74)
  }

  @Test func inspectAddsUpTheMemory() throws {
    try scratch.write("recipe.yaml", recipe)
    func total(_ settings: String...) throws -> Double {
      let result = try Tool.train.run(
        ["inspect", "--memory", "--config", "recipe.yaml", "--vocabulary", "5000", "--summary", "s.json"]
          + settings.flatMap { ["--set", $0] }, in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      let numbers = result.text.split(separator: "\n").map { line in
        line.split(separator: " ").compactMap { Double($0) }.last ?? -1
      }
      #expect(abs(numbers.dropLast().reduce(0, +) - numbers.last!) < 0.1 * Double(numbers.count))
      let bytes = try #require(try readSummary(scratch.path("s.json"))["memory_bytes"] as? Int)
      #expect(abs(Double(bytes) / 1e6 - numbers.last!) < 0.1)
      return numbers.last!
    }
    let whole = try total()
    #expect(try total("train.micro_batch=1") < whole)
    #expect(try total("model.memory.subkeys=64") > whole)
    // Rounded copies of what products multiply: 5000 tokens of 32 and all the weights.
    #expect(try total("train.precision=bf16") != whole)
    // All defaults, as train has them.
    #expect(try Tool.train("inspect", "--memory", in: scratch.url).status == 0)
    #expect(try Tool.train("inspect", in: scratch.url).status == 64)
    func small(_ vocabulary: String...) throws -> Int? {
      let result = try Tool.train.run(
        ["inspect", "--memory", "--config", "recipe.yaml", "--summary", "s.json"] + vocabulary,
        in: scratch.url)
      return result.status == 0 ? try readSummary(scratch.path("s.json"))["memory_bytes"] as? Int : nil
    }
    #expect(try small("--set", "model.vocabulary_size=500") == small("--vocabulary", "500"))
    #expect(try small("--set", "model.vocabulary_size=500") != small())
    #expect(try Tool.train("inspect", "--config", "recipe.yaml", in: scratch.url).status == 64)
  }

  @Test(arguments: [
    [], ["train.precision=bf16"], ["train.recompute=true", "train.micro_batch=2"],
    ["model.memory.values=bf16", "train.precision=bf16"], ["model.memory=null", "model.norm=post"],
  ]) func inspectForetellsTheMemory(settings: [String]) throws {
    _ = try makeDataset()
    try scratch.write(
      "recipe.yaml",
      """
      model:
        {layers: 3, dim: 512, heads: 8, context: 128, memory: {layers: [2], subkeys: 128, topk: 32, query_dim: 128}}
      train: {batch: 8, steps: 3}
      """)
    let options = ["--config", "recipe.yaml"] + settings.flatMap { ["--set", $0] }
    let result = try Tool.train.run(
      ["train", "--data", "data", "-o", "run", "--summary", "s.json", "--quiet"] + options, in: scratch.url)
    #expect(result.status == 0, "\(result.errors)")
    let summary = try #require(
      try JSONSerialization.jsonObject(with: Data(scratch.text("s.json").utf8)) as? [String: Any])
    let measured = try #require(summary["peak_bytes"] as? Double)
    let index = try Dataset(scratch.path("data")).index
    let told = try Tool.train.run(
      ["inspect", "--memory", "--vocabulary", "\(index.vocabularySize)"] + options, in: scratch.url)
    let all = try #require(told.text.split(separator: " ").compactMap { Double($0) }.last)
    #expect(abs(measured / 1e6 - all) < 20, "\(measured / 1e6) MB, foretold \(all) MB")
  }

  @Test func benchAccountsForTheStep() throws {
    try scratch.write("recipe.yaml", recipe)
    for precision in ["fp32", "bf16"] {
      let result = try Tool.train(
        "bench", "--config", "recipe.yaml", "--vocabulary", "2000", "--steps", "2", "--set", "model.dim=128",
        "--set", "train.precision=\(precision)", "--summary", "bench.json", "--quiet", in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.text.contains("memory: weighted sum") && result.text.contains("matmul a bᵀ"))
      let summary = try #require(
        try JSONSerialization.jsonObject(with: Data(scratch.text("bench.json").utf8)) as? [String: Any])
      let accounted = try #require(summary["accounted"] as? Double)
      // How near to 1 is for a quiet machine to say.
      #expect(accounted > 0 && accounted <= 1)
    }
  }

  @Test func benchMeasuresOneMemoryAndGeneration() throws {
    try scratch.write("recipe.yaml", recipe)
    for values in ["fp32", "bf16"] {
      let memory = try Tool.train(
        "bench", "--memory", "--config", "recipe.yaml", "--subkeys", "8,16", "--summary", "bench.json",
        "--quiet",
        "--set", "model.memory.values=\(values)", in: scratch.url)
      #expect(memory.status == 0, "\(memory.errors)")
      #expect(try scratch.text("bench.json").contains("training_tokens_per_second_16"))
    }
    let generation = try Tool.train(
      "bench", "--generate", "--config", "recipe.yaml", "--batches", "1,3", "--summary", "bench.json",
      "--quiet",
      in: scratch.url)
    #expect(generation.status == 0, "\(generation.errors)")
    #expect(try scratch.text("bench.json").contains("tokens_per_second_3"))
    #expect(try Tool.train("bench", "--generate", "--batches", "0", in: scratch.url).status == 64)
    #expect(try Tool.train("bench", "--generate", "--memory", in: scratch.url).status == 64)
  }

  /// A line that is told takes the place of the bar, which is never wider than the terminal.
  @Test func theTerminalShowsOneThingALine() throws {
    _ = try makeDataset()
    let result = try runShell(
      #"""
      script -qec "stty cols 80; pkm-train train --config recipe.yaml --data data -o run --eval-split test \
        --set train.steps=300 --set train.eval_every=60" typescript
      """#, in: scratch.url)
    #expect(result.status == 0)
    let lines = try scratch.text("typescript").unicodeScalars.split { $0 == "\n" || $0 == "\r" }.map(
      String.init)
    let drawn = lines.filter { $0.hasPrefix("\u{1b}[Ktraining: ") }
    #expect(!drawn.isEmpty && drawn.allSatisfy { $0.count < 3 + 80 && !$0.contains("perplexity") })
    #expect(lines.count { $0.hasPrefix("step ") || $0.hasPrefix("\u{1b}[Kstep ") } == 6)
  }

  @Test func wrongInputIsExplained() throws {
    _ = try makeDataset()
    let key = try train("run", "--set", "train.learning=1")
    #expect(key.status == 64 && key.errors.contains("unknown key \"learning\" in train"))
    try scratch.write("bad.yaml", "model:\n  layers: 2\n  depth: 3\n")
    let line = try Tool.train("train", "--config", "bad.yaml", "--data", "data", "-o", "run", in: scratch.url)
    #expect(line.status == 64 && line.errors.contains("bad.yaml:3"))
    let type = try train("run", "--set", "train.batch=many")
    #expect(type.status == 64 && type.errors.contains("train.batch is many. Give a whole number"))
    let choice = try train("run", "--set", "train.precision=fp16")
    #expect(choice.status == 64 && choice.errors.contains("train.precision"))
    #expect(choice.errors.contains("'fp16' is not one of its names: fp32, bf16"))
    let large = try train("large", "--set", "model.memory.subkeys=40000")
    #expect(large.status == 64 && large.errors.contains("GB of memory, and may use"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("large")))
    let hot = try Tool.train("generate", "--checkpoint", "run", "--temperature", "nan", "A", in: scratch.url)
    #expect(hot.status == 64 && hot.errors.contains("--temperature"))
    let data = try Tool.train("train", "--data", "nowhere", "-o", "run", in: scratch.url)
    #expect(data.status == 74 && data.errors.contains("nowhere"))
    let checkpoint = try Tool.train("eval", "--checkpoint", "data", in: scratch.url)
    #expect(checkpoint.status == 74 && checkpoint.errors.contains("holds no checkpoint"))
    let heads = try train("run", "--set", "model.heads=5")
    #expect(
      heads.status == 64 && heads.errors.contains("--set model.heads=5: model.heads (5) does not divide"))
    // Wrong types and wrong values have their line.
    for (value, message) in [
      ("lr: fast", "train.lr is fast. Give a number"), ("lr: -1", "train.lr must be positive, not -1.0"),
      ("betas: 0.9", "train.betas is 0.9. Give a list"),
      ("betas: [a, 2]", "train.betas is [a, 2]. Give a number"),
      ("seed: -1", "train.seed is -1. Give a whole number from 0 to 18446744073709551615"),
      ("recompute: 3", "train.recompute is 3. Give true or false"),
      ("batch: 99999999999", "train.batch must be 1 to 1048576"),
      ("batch: [1, 2]", "train.batch is [1, 2]. Give a single value"),
      ("lr: {a: 1}", "train.lr is a mapping. Give a single value"),
      (
        "schedule: lineal",
        "'lineal' is not one of its names: inverse-sqrt, cosine, linear, warmup-stable-decay, constant"
      ), ("freeze: [normes]", "Did you mean \"norms\"?"), ("max_skip: 1", "Did you mean \"max_skips\"?"),
    ] {
      try scratch.write("bad.yaml", "model: {layers: 1}\ntrain:\n  steps: 5\n  \(value)\n")
      let refused = try Tool.train(
        "train", "--config", "bad.yaml", "--data", "data", "-o", "run", in: scratch.url)
      #expect(refused.status == 64 && refused.errors.contains("bad.yaml:4: "), "\(refused.errors)")
      #expect(refused.errors.contains(message), "\(refused.errors)")
    }
    for (value, message) in [
      ("heads: 999999999999999999", "model.memory.heads is 999999999999999999"), ("layers: 2", "Give a list"),
      ("query_dim: 33", "model.memory.query_dim is 33"), ("layers: [9]", "names layer 9 of 4"),
    ] {
      try scratch.write("bad.yaml", "model:\n  memory:\n    \(value)\n")
      let refused = try Tool.train("inspect", "--memory", "--config", "bad.yaml", in: scratch.url)
      #expect(
        refused.status == 64 && refused.errors.contains("bad.yaml:3: model.memory."), "\(refused.errors)")
      #expect(refused.errors.contains(message), "\(refused.errors)")
    }
    #expect(try train("text.txt/run").status == 74)
  }

  /// A number that does not fit is named with its file, its key and its bound.
  @Test(arguments: ["1e300", "0.5", "-1", "18446744073709551616", "1e999"])
  func aNumberOfACheckpointIsNamed(value: String) throws {
    _ = try makeDataset()
    #expect(try train("run", "--set", "train.steps=5").status == 0)
    func check(_ file: String, _ key: String, _ name: String, _ bound: String) throws {
      let path = "run/step-00000005/" + file
      let text = try scratch.text(path)
      defer { _ = try? scratch.write(path, text) }
      let number = try #require(text.firstRange(of: try Regex("\"\(key)\" : [0-9.]+")))
      try scratch.write(path, text.replacingCharacters(in: number, with: "\"\(key)\" : \(value)"))
      let result = try Tool.train("eval", "--checkpoint", "run", "--data", "data", in: scratch.url)
      #expect(
        result.status == 65 && result.errors.contains("\(file): \(name) is \(value)")
          && result.errors.contains(bound), "\(result.errors)")
    }
    for key in ["step", "tokens"] { try check("trainer.json", key, key, "9007199254740992") }
    for key in ["epoch", "window"] {
      try check("trainer.json", key, "cursor.\(key)", "9007199254740992")
    }
    try check("trainer.json", "seed", "seed", "18446744073709551615")
    for (key, bound) in [("dim", 1 << 20), ("layers", 1 << 12), ("context", 1 << 20)] {
      try check("config.json", key, "model.\(key)", value == "-1" ? "1 to \(bound)" : "9007199254740992")
    }
    try check("config.json", "subkeys", "model.memory.subkeys", value == "-1" ? "46340" : "9007199254740992")

    // A line of the metrics is left out with a word; a last line that a kill has cut off without one.
    let metrics = try scratch.text("run/metrics.jsonl")
    for (key, reason) in [
      ("step", value == "1e999" ? "larger than any" : "step is"),
      ("tokens", value == "1e999" ? "larger than any" : "and must be a whole number from 0 to 2^53"),
    ] {
      let number = try #require(metrics.firstRange(of: try Regex("\"\(key)\": *[0-9]+")))
      try scratch.write(
        "run/metrics.jsonl", metrics.replacingCharacters(in: number, with: "\"\(key)\":\(value)") + "{\"st")
      let result = try Tool.train("report", "run", "-o", "page.html", in: scratch.url)
      #expect(
        result.status == 0 && result.errors.contains("metrics.jsonl: a line is no measurement")
          && result.errors.contains("line 1: ") && result.errors.contains(reason), "\(result.errors)")
      let resumed = try train("run", "--set", "train.steps=5", "--resume")
      #expect(
        resumed.status == 0 && (key == "tokens" || resumed.errors.contains("removes a line without a step")),
        "\(resumed.errors)")
    }
  }

  /// Sizes of a model, or of its state, that no file beside them has: refused before memory is taken.
  @Test func theNumbersOfACheckpointAreBounded() throws {
    _ = try makeDataset()
    #expect(try train("run", "--set", "train.steps=5").status == 0)
    func change(_ file: String, _ keys: [String], to value: Any) throws {
      let path = "run/step-00000005/" + file
      func changed(_ object: Any?, _ keys: ArraySlice<String>) -> Any {
        guard let key = keys.first else { return value }
        var object = object as? [String: Any] ?? [:]
        object[key] = changed(object[key], keys.dropFirst())
        return object
      }
      let object = try JSONSerialization.jsonObject(with: Data(scratch.bytes(path)))
      try scratch.write(path, Array(JSONSerialization.data(withJSONObject: changed(object, keys[...]))))
    }
    try change("trainer.json", ["checksums"], to: NSNull())
    let (config, state) = try (
      scratch.bytes("run/step-00000005/config.json"), scratch.bytes("run/step-00000005/trainer.json")
    )
    let cases: [(file: String, key: String, value: Any)] = [
      ("config.json", "model.dim", -1), ("config.json", "model.dim", 65536),
      ("config.json", "model.layers", 4096),
      ("config.json", "model.context", 1 << 20), ("config.json", "model.vocabulary_size", Int(Int32.max)),
      ("config.json", "train.steps", Int.max), ("config.json", "model.memory.subkeys", 46340),
      ("trainer.json", "step", -1), ("trainer.json", "tokens", Int.max),
      ("trainer.json", "cursor.epoch", Int.max),
    ]
    for (file, key, value) in cases {
      try scratch.write("run/step-00000005/config.json", config)
      try scratch.write("run/step-00000005/trainer.json", state)
      try change(file, key.split(separator: ".").map(String.init), to: value)
      for arguments in [["generate", "--checkpoint", "run", "x"], ["report", "run", "-o", "-"]] {
        let result = try Tool.train.run(arguments, in: scratch.url)
        #expect(result.status == 65 && result.errors.contains(file), "\(key) \(value): \(result.errors)")
      }
    }
    let line =
      #"{"step": 1e300, "tokens": -1e300, "loss": 1e308, "split": "valid", "perplexity": 1e999}"# + "\n"
    try scratch.write("run/step-00000005/config.json", config)
    try scratch.write("run/step-00000005/trainer.json", state)
    try scratch.write("run/metrics.jsonl", try scratch.text("run/metrics.jsonl") + line)
    #expect(try Tool.train("report", "run", "-o", "-", in: scratch.url).status == 0)
  }

  /// A run that has diverged, or a damaged file without checksums: neither perplexity nor text comes of it.
  @Test func aModelThatIsNoNumberIsRefused() throws {
    _ = try makeDataset()
    #expect(try train("run", "--set", "train.steps=5").status == 0)
    let path = "run/step-00000005/"
    var tensors = try scratch.bytes(path + "model.safetensors")
    let header = Int(tensors[..<8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
    for start in stride(from: 8 + header, to: tensors.count - 3, by: 4) {
      for (offset, byte) in [UInt8(0), 0, 0xc0, 0x7f].enumerated() { tensors[start + offset] = byte }
    }
    try scratch.write(path + "model.safetensors", tensors)
    var state = try #require(
      JSONSerialization.jsonObject(with: Data(scratch.bytes(path + "trainer.json"))) as? [String: Any])
    state["checksums"] = nil
    try scratch.write(path + "trainer.json", Array(JSONSerialization.data(withJSONObject: state)))
    for arguments in [
      ["generate", "the cat"], ["generate", "--temperature", "0", "the cat"],
      ["generate", "--top-k", "5", "the cat"],
      ["generate", "--top-p", "0.5", "the cat"], ["eval", "--split", "test"],
    ] {
      let result = try Tool.train.run(arguments + ["--checkpoint", "run"], in: scratch.url)
      #expect(result.status == 65 && result.errors.contains("not"), "\(arguments): \(result.errors)")
      #expect(!result.text.contains("nan"))
    }
  }
}
