import Foundation
import Model
import Support

/// The memory that training or generation needs, part by part, without making the model.
package struct Footprint {
  package struct Part: Sendable {
    package let name: String
    package let bytes: Int
    /// Whether the system hands out pages only as slots of a memory are read.
    package var growsWithReads = false
  }

  /// Of the program, its libraries, the text it reads and the checkpoints it writes; measured.
  private static let program = 50_000_000

  package let parts: [Part]
  /// What needs less.
  private let remedy: String
  package var bytes: Int { parts.reduce(0) { $0 + $1.bytes } }

  /// Throws a usage ``Failure`` if the parts that are needed from the start exceed `memory` bytes; warns if all parts may.
  package func check(against memory: Int) throws {
    let certain = parts.reduce(0) { $0 + ($1.growsWithReads ? 0 : $1.bytes) }
    func gigabytes(_ bytes: Int) -> String { String(format: "%.1f GB", Double(bytes) / 1e9) }
    if certain > memory {
      throw Failure(
        .usage,
        "this run needs \(gigabytes(certain)) of memory, and may use \(gigabytes(memory)) (machine, control group, ulimit)",
        remedy: remedy)
    }
    if bytes > memory {
      Log.warn(
        "this run may grow to \(gigabytes(bytes)) of memory as it reads more slots, and may use "
          + gigabytes(memory))
    }
  }

  /// The configuration's vocabulary size must be set.
  package init<Device: Operations<Float>>(_ recipe: TrainingRecipe, on device: Device) throws {
    try recipe.validate()
    let described = recipe.model.parameterDescriptions
    func count(_ isIncluded: (TensorDescription) -> Bool) -> Int {
      described.reduce(0) { $0 + (isIncluded($1) ? $1.count : 0) }
    }
    let train = recipe.train, isBF16 = device.operandsAreBF16,
      microBatches = train.batch / train.sequencesAtOnce
    let dense = 4 * count { $0.memoryIndex == nil }, values = count { $0.memoryIndex != nil }
    let tokens = train.sequencesAtOnce * recipe.model.context
    var reads = 0
    if let memory = recipe.model.memory {
      reads =
        memory.layers.count
        * ArenaPlan.measure {
          ValueGradient<Float>(
            slots: memory.shape.slots, dimension: recipe.model.dim, tokens: tokens * microBatches,
            reads: memory.shape.reads, in: &$0)
        }
    }
    let activations = try Transformer<Device>.activationBytes(
      recipe.model, batch: (train.sequencesAtOnce, recipe.model.context), microBatches: microBatches,
      recomputes: train.recompute, isBF16: isBF16)
    remedy =
      "`pkm-train inspect --memory --config` says for what; a smaller train.micro_batch, train.recompute or "
      + "model.memory.values=bf16 need less"
    parts = [
      Part(name: "parameters, dense", bytes: dense),
      Part(
        name: "parameters, values of memories", bytes: (recipe.model.memory?.values == .bf16 ? 2 : 4) * values
      ),
      Part(
        name: "copies in bfloat16",
        bytes: device.wantsWeightCopies(isTraining: true) ? 2 * count(\.isOperand) : 0),
      Part(name: "gradients, dense", bytes: dense),
      Part(name: "gradients of values, as reads", bytes: reads),
      Part(name: "moments of Adam, dense", bytes: 2 * dense),
      Part(name: "moments of Adam, values", bytes: 8 * values, growsWithReads: true),
      Part(
        name: "means of parameters",
        bytes: train.ema > 0 ? dense + (recipe.model.memory?.values == .bf16 ? 0 : 4) * values : 0),
      Part(
        name: "copy of the state for checkpoints",
        bytes: train.backgroundCheckpoints
          ? (train.ema > 0 ? 4 : 3) * dense + (recipe.model.memory?.values == .bf16 ? 10 : 12) * values : 0),
      Part(name: "activations and scratch of \(tokens) tokens", bytes: activations - reads),
      Part(
        name: "working memory of matmul",
        bytes: device.workingBytes(dim: recipe.model.dim, vocabularySize: recipe.model.vocabularySize)),
      Part(name: "program, libraries, data at hand", bytes: Self.program),
    ].filter { $0.bytes > 0 }
  }

  /// Of a model that continues texts.
  ///
  /// - Parameters:
  ///   - sequences: side by side, each with a cache of its keys and values.
  ///   - maximumTokens: of one pass.
  package init<Device: Operations<Float>>(
    generating model: ModelConfiguration, sequences: Int, maximumTokens: Int, on device: Device
  ) throws {
    let isBF16 = device.operandsAreBF16
    let described = model.parameterDescriptions
    let stored = described.reduce(0) {
      $0 + ($1.memoryIndex != nil && model.memory?.values == .bf16 ? 2 : 4) * $1.count
    }
    let copies = device.wantsWeightCopies(isTraining: false)
    remedy = "A smaller --batch needs less"
    parts = [
      Part(name: "parameters", bytes: stored),
      Part(
        name: "copies in bfloat16",
        bytes: copies ? described.reduce(0) { $0 + ($1.isOperand ? 2 * $1.count : 0) } : 0),
      Part(
        name: "keys and values of \(sequences) sequences",
        bytes: Transformer<Device>.cacheBytes(sequences, model, isBF16: isBF16)),
      Part(name: "logits", bytes: 8 * sequences * model.vocabularySize),
      Part(
        name: "activations and scratch",
        bytes: try Transformer<Device>.activationBytes(
          model, batch: (1, maximumTokens), microBatches: nil, isBF16: isBF16)),
      Part(name: "program, libraries, data at hand", bytes: Self.program),
    ].filter { $0.bytes > 0 }
  }
}
