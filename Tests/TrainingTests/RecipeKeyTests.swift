import Foundation
import Model
import Support
import TestSupport
import Testing
import Training

/// Every key of a recipe changes numbers of a run, and the changed run is still the one that is written out.
@Suite(.timeLimit(.minutes(60))) struct RecipeKeyTests {
  struct Case: Sendable, CustomTestStringConvertible {
    enum Check: Sendable {
      /// The run is the one written out, which the key changes.
      case arithmetic
      /// The run takes what it does not keep twice: a matmul with GELU more for each micro-batch.
      case recomputes
      /// The matmuls round to eight bits.
      case rounds
      /// The values of the memories have eight bits, and are rounded by chance.
      case roundsValues
      /// The key changes nothing: the dataset decides.
      case nothing
    }
    let key, value: String
    /// Other keys of both runs, where the key alone would do nothing.
    var beside: [String: String] = [:]
    var check = Check.arithmetic

    init(_ key: String, _ value: String, beside: [String: String] = [:], _ check: Check = .arithmetic) {
      (self.key, self.value, self.beside, self.check) = (key, value, beside, check)
    }
    var testDescription: String { "\(key): \(value)" }
  }

  static let cases = [
    Case("model.layers", "4"), Case("model.dim", "8"), Case("model.heads", "3"), Case("model.context", "4"),
    Case("model.dropout", "0.3"), Case("model.norm", "\"pre\""), Case("model.memory", "null"),
    Case("model.vocabulary_size", "99", .nothing),
    Case("model.memory.layers", "[2]"), Case("model.memory.subkeys", "5"), Case("model.memory.heads", "1"),
    Case("model.memory.topk", "2"), Case("model.memory.query_dim", "6"),
    Case("model.memory.batch_norm", "false"),
    Case("model.memory.values", "\"bf16\"", beside: ["train.steps": "1"], .roundsValues),
    Case("train.batch", "2"), Case("train.micro_batch", "1"), Case("train.packing", "\"stream\""),
    Case("train.steps", "5", beside: ["train.schedule": "\"cosine\""]),
    Case(
      "train.recompute", "true", beside: ["model.memory.layers": "[3]", "train.eval_every": "0"], .recomputes),
    Case("train.precision", "\"bf16\"", beside: ["model.memory": "null"], .rounds),
    Case("train.lr", "0.017"), Case("train.warmup", "3"), Case("train.schedule", "\"constant\""),
    Case("train.schedule", "\"cosine\""),
    Case("train.betas", "[0.83, 0.91]"), Case("train.betas", "[0.72, 0.957]"), Case("train.eps", "0.005"),
    Case("train.clip", "0.1"), Case("train.clip", "0"), Case("train.label_smoothing", "0.05"),
    Case("train.value_lr", "0.003"), Case("train.seed", "6", beside: ["model.dropout": "0.2"]),
    Case("train.eval_every", "3"), Case("train.eval_tokens", "0"), Case("train.checkpoint_every", "2"),
    Case("train.keep_checkpoints", "1"), Case("train.log_every", "3"),
    Case("train.keep_every", "2", beside: ["train.checkpoint_every": "1", "train.keep_checkpoints": "1"]),
    Case(
      "train.keep_best", "true",
      beside: ["train.checkpoint_every": "1", "train.eval_every": "1", "train.keep_checkpoints": "1"]),
    Case("train.schedule", "\"linear\""), Case("train.schedule", "\"warmup-stable-decay\""),
    Case("train.lr_end", "0.4", beside: ["train.schedule": "\"cosine\""]),
    Case("train.lr_end", "0", beside: ["train.schedule": "\"linear\""]),
    Case("train.decay", "0.45", beside: ["train.schedule": "\"warmup-stable-decay\"", "train.warmup": "1"]),
    Case("train.weight_decay", "0.7"),
    Case("train.lr_scales", "{\"attention\": 0.5, \"memory_values\": 3, \"norms\": 0}"),
    Case("train.freeze", "[\"attention\", \"memory_values\", \"norms\"]"),
    Case(
      "train.freeze", "[\"embeddings\", \"memory_keys\", \"feed_forward\"]", beside: ["train.clip": "0.05"]),
    Case("train.freeze", "[\"memory_queries\", \"output_bias\"]"),
    // A gradient above its mean is none too rare here.
    Case("train.spike", "1", beside: ["train.max_skips": "9", "train.steps": "7", "train.lr": "0.05"]),
    Case("train.max_skips", "0", .nothing), Case("train.ema", "0.13"), Case("train.ema", "0.9"),
    // It says when, not what: checkpoints are the same.
    Case("train.background_checkpoints", "true", beside: ["train.checkpoint_every": "1"], .nothing),
  ]

  /// A new key fails here until it has a case.
  @Test func everyKeyHasACase() {
    let keys =
      ModelConfiguration.CodingKeys.allCases.map { "model.\($0.rawValue)" }
      + ModelConfiguration.Memory.CodingKeys.allCases.map { "model.memory.\($0.rawValue)" }
      + TrainingConfiguration.CodingKeys.allCases.map { "train.\($0.rawValue)" }
    #expect(Set(Self.cases.map(\.key)) == Set(keys))
    // The template, too.
    #expect(
      Set(RecipeTemplate.model.map { "model.\($0.key)" } + RecipeTemplate.train.map { "train.\($0.key)" })
        .union(["model.memory"]) == Set(keys))
    // A property without a key would be lost in a checkpoint.
    #expect(
      Mirror(reflecting: ModelConfiguration()).children.count == ModelConfiguration.CodingKeys.allCases.count)
    #expect(
      Mirror(reflecting: ModelConfiguration.Memory()).children.count
        == ModelConfiguration.Memory.CodingKeys.allCases.count)
    #expect(
      Mirror(reflecting: TrainingConfiguration()).children.count
        == TrainingConfiguration.CodingKeys.allCases.count)
  }

  /// The recipe of the other tests with some keys set, as a recipe's file sets them.
  private func recipe(_ settings: [String: String]) throws -> TrainingRecipe {
    var object = try JSONSerialization.jsonObject(
      with: JSONEncoder().encode(TrainingArithmeticTests.recipe()))
    func set(_ object: Any, _ path: ArraySlice<String>, _ value: Any) -> Any {
      guard let key = path.first else { return value }
      var members = object as? [String: Any] ?? [:]
      members[key] = set(members[key] ?? [:], path.dropFirst(), value)
      return members
    }
    for (path, text) in settings.sorted(by: { $0.key < $1.key }) {
      let value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
      object = set(object, path.split(separator: ".").map(String.init)[...], value)
    }
    return try JSONDecoder().decode(TrainingRecipe.self, from: JSONSerialization.data(withJSONObject: object))
  }

  /// The file's value is in the recipe, and comes back from the recipe of a checkpoint.
  @Test(arguments: cases) func theKeyIsRead(_ this: Case) throws {
    let before = try recipe(this.beside)
    let after = try recipe(this.beside.merging([this.key: this.value]) { $1 })
    #expect(before != after)
    #expect(try JSONDecoder().decode(TrainingRecipe.self, from: JSONEncoder().encode(after)) == after)
  }

  @Test(.long, arguments: cases) func theKeyChangesTheRunAsItSays(_ this: Case) throws {
    let bench = try Workbench()
    let before = try recipe(this.beside)
    let after = try recipe(this.beside.merging([this.key: this.value]) { $1 })
    func run(_ recipe: TrainingRecipe, _ device: some Operations<Float>) throws -> RunRecord {
      try bench.run(recipe, from: PlainModel(recipe.model, seed: 11), on: device)
    }
    func written(_ recipe: TrainingRecipe) throws -> RunRecord {
      try bench.plainRun(recipe, from: PlainModel(recipe.model, seed: 11))
    }
    let tolerance = 2e-4, right = try written(after)
    let cpu = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    #expect(before != after)
    switch this.check {
    case .arithmetic:
      #expect(try right.differences(from: written(before), tolerance: tolerance) != [])
      #expect(try run(after, cpu).differences(from: right, tolerance: tolerance) == [])
    case .nothing:
      #expect(try right.differences(from: written(before), tolerance: 1e-9) == [])
      #expect(try run(after, cpu).differences(from: right, tolerance: tolerance) == [])
    case .recomputes:
      func products(_ recipe: TrainingRecipe) throws -> Int {
        let log = OperationLog()
        let record = try run(recipe, MeasuredOperations(cpu, log: log))
        #expect(record.differences(from: right, tolerance: tolerance) == [])
        return log.entries.reduce(0) { $0 + ($1.name.contains("bias, GELU") ? $1.calls : 0) }
      }
      // Of the two blocks without a memory, the last is not computed again.
      let train = after.train
      let (once, again) = (try products(before), try products(after))
      #expect(again - once == train.steps * train.batch / train.sequencesAtOnce)
    case .rounds:
      let found = try run(after, Engine(precision: after.train.precision, threads: 1).device)
      for (mine, line) in zip(found.lines, right.lines) {
        let (a, b) = (try #require(mine.numbers["nll"]), try #require(line.numbers["nll"]))
        #expect(abs(a - b) < 0.05 * b && abs(a - b) > 1e-5 * b)
      }
    case .roundsValues:
      var (mine, right) = (try run(after, cpu), right)
      for layer in [0, 2] {
        let name = "blocks.\(layer).memory.values"
        let (a, b) = (try #require(mine.tensors[name]), try #require(right.tensors[name]))
        // A number on the edge may fall to either side.
        #expect(a.count == b.count && zip(a, b).count { $0 != $1 } <= a.count / 50)
        (mine.tensors[name], right.tensors[name]) = (b, b)
        #expect(try #require(written(before).tensors[name]) != b)
      }
      // The evaluation after the step has read the values.
      #expect(mine.differences(from: right, tolerance: 0.01) == [])
    }
  }

  /// Those of the paper and its code, XLM, where it has them.
  @Test func defaultsAreThoseThatTheRecipesName() {
    var model = ModelConfiguration()
    model.memory = .init()
    #expect(
      TrainingRecipe(model: model, train: TrainingConfiguration()).settings == [
        "model.layers": "4", "model.dim": "256", "model.heads": "4", "model.context": "256",
        "model.dropout": "0",
        "model.norm": "post", "model.vocabulary_size": "0", "model.memory.layers": "2",
        "model.memory.subkeys": "512", "model.memory.heads": "4", "model.memory.topk": "32",
        "model.memory.query_dim": "512", "model.memory.batch_norm": "1", "model.memory.values": "fp32",
        "train.batch": "8", "train.steps": "1000", "train.recompute": "0", "train.precision": "fp32",
        "train.lr": "0.00025", "train.warmup": "400", "train.schedule": "inverse-sqrt",
        "train.betas": "0.9, 0.98", "train.eps": "1e-08", "train.clip": "1", "train.label_smoothing": "0.1",
        "train.value_lr": "0.001", "train.seed": "1", "train.eval_every": "200",
        "train.eval_tokens": "100000",
        "train.checkpoint_every": "200", "train.keep_checkpoints": "2", "train.log_every": "10",
        "train.keep_every": "0", "train.background_checkpoints": "0", "train.keep_best": "0",
        "train.lr_end": "0.1", "train.decay": "0.2",
        "train.weight_decay": "0", "train.ema": "0", "train.freeze": "", "train.spike": "0",
        "train.max_skips": "3",
      ])
  }
}
