import ArgumentParser
import Commands
import Foundation
import Model
import Shards
import Support
import Training

struct Eval: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Evaluate a model on held-out text.")

  static let details = """
    Prints perplexity per token (of the model's tokenizer), perplexity per word,
    and bits per byte of the source text, all from the loss without label
    smoothing.

    Also prints how evenly the slots of each memory layer are used. Usage is the
    share of slots that are read at all. KL is the divergence of the weights that
    the slots receive from the uniform distribution, in nats (Lample et al., 2019,
    section 4.2). --summary adds the effective number of slots (the exponential of
    the entropy), the Gini coefficient, and how many slots have 50, 90 and 99 % of
    the weight.

    The split is cut into sequences as in training (--packing changes that), and
    padding counts nothing.
    """

  static let examples = """
    pkm-train eval --checkpoint runs/quickstart/model --split test
    pkm-train eval --checkpoint runs/quickstart/model/step-00000600 \\
      --data d/ --split valid --summary valid.json
    """

  @Option(
    help: ArgumentHelp(
      "Run directory (its newest checkpoint) or checkpoint directory.", valueName: "directory"))
  var checkpoint: String

  @Option(
    help: ArgumentHelp(
      "Dataset directory (default: the one that the model was trained on).", valueName: "directory"))
  var data: String?

  @Option(
    help: ArgumentHelp("Split to evaluate (default: test if it exists, else valid).", valueName: "name"))
  var split: String?

  @Option(
    help: ArgumentHelp(
      """
      How the split is cut into sequences: stream, or document, where a sequence begins with a document and takes whole \
      ones while they fit (default: that of training).
      """, valueName: "name"))
  var packing: Packing?

  @Flag(help: "Also evaluate the model as initialized, before any training.")
  var baseline = false

  @Option(help: ArgumentHelp("Sequences per batch.", valueName: "n"))
  var batch = 8

  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    if !(1...4096).contains(batch) {
      throw ValidationError("--batch must be between 1 and 4096, not \(batch)")
    }
  }

  var files: [OwnFiles.Entry] {
    options.files
  }

  func run() throws {
    let started = Progress.now()
    let checkpoint = try Checkpoint(checkpoint)
    let dataset = try Dataset(data ?? checkpoint.state.datasetPath)
    let tokenizer = try checkpoint.checkedPath(of: .tokenizer)
    guard dataset.index.vocabularySize == checkpoint.recipe.model.vocabularySize,
      try MappedFile.read(tokenizer) == dataset.tokenizerJSON()
    else {
      throw Failure(
        .badInput, "was encoded with a tokenizer other than the model's", file: dataset.path,
        remedy: "Encode the text with \(tokenizer)")
    }
    let split =
      try split
      ?? ["test", "valid"].first { dataset.splits.contains($0) }
      .orThrow(
        Failure(
          .usage, "has no split named test or valid", file: dataset.path,
          remedy: "Name one of its splits with --split"))

    let engine = try checkpoint.makeEngine(
      threads: options.threadCount, kernels: engine.instructions, library: engine.library)
    try options.report(
      try evaluate(checkpoint, on: dataset, split: split, device: engine.device), since: started)
  }

  private func evaluate(
    _ checkpoint: Checkpoint, on dataset: Dataset, split: String, device: some Operations<Float>
  ) throws -> Summary {
    let model = try checkpoint.makeModel(on: device, maximumSequences: batch, isInitialized: baseline)
    let packing = packing ?? checkpoint.recipe.train.packing ?? .stream
    var summary = Summary()
    summary[.packing] = .text(packing.rawValue)
    summary[.checkpoint] = .text(checkpoint.directory)
    summary[.step] = .count(checkpoint.state.step)
    if baseline {
      let before = try Evaluation.run(
        model, dataset: dataset, split: split, packing: packing, sequences: batch, isQuiet: options.quiet)
      Terminal.print("before training: " + before.summaryLine)
      summary[.baselinePerplexity] = .number(before.perplexity)
    }
    try checkpoint.restore(model)
    let result = try Evaluation.run(
      model, dataset: dataset, split: split, packing: packing, sequences: batch, isQuiet: options.quiet)
    Terminal.print((baseline ? "after \(checkpoint.state.step) steps: " : "") + result.summaryLine)
    summary[.split] = .text(split)
    summary[.tokens] = .count(result.scoredTokens)
    summary[.nll] = .number(result.nll)
    summary[.perplexity] = .number(result.perplexity)
    summary[.wordPerplexity] = .number(result.wordPerplexity)
    summary[.bitsPerByte] = .number(result.bitsPerByte)
    summary[.tokensPerSecond] = .number(result.tokensPerSecond)
    for (name, value) in result.memoryNumbers { summary[name] = .number(value) }
    if let divergence = result.divergence { Log.warn(divergence) }
    return summary
  }
}

extension Packing: ExpressibleByArgument {}

extension Optional {
  fileprivate func orThrow(_ error: any Error) throws -> Wrapped {
    guard let self else { throw error }
    return self
  }
}
