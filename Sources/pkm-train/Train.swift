import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Train: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model on a dataset.")

  static let details = """
    Writes metrics.jsonl, and every train.checkpoint_every steps a checkpoint
    directory, to the run directory. A run that stopped for any reason continues
    from its last checkpoint with --resume, with the same result, bit for bit, as
    without the stop.

    A new run measures for a second how this processor multiplies matrices of the
    model's shapes fastest, prints the choice, and keeps it in trainer.json, for
    --resume, and in ~/.cache/pkm/matmul.json ($XDG_CACHE_HOME), for the next run.
    The built-in kernels are chosen unless a library is a tenth faster, and for
    small models without measuring. --kernels and --blas choose instead; another
    choice, or another processor, changes the last bits of the results.

    Of the recipe, --resume allows other train.steps, eval_every, eval_tokens,
    checkpoint_every, background_checkpoints, keep_checkpoints, keep_every,
    keep_best, log_every, max_skips and recompute. With another train.steps, a
    schedule that ends (cosine, linear, warmup-stable-decay) is that of the new
    number from the resumed step on.

    --init-from starts another run with the parameters of a checkpoint: on other
    data, and with any train section. The model is that of the checkpoint; the
    recipe may change model.dropout and add memories, whose slots are drawn. The
    dataset must have the tokenizer of the checkpoint.

    A step is skipped if its loss is not a number or, with train.spike, if its
    gradient is too large. After more than train.max_skips such steps in a row
    the run stops. `pkm-train config` explains all keys.
    """

  static let examples = """
    pkm-train train --config pipelines/quickstart.yaml \\
      --data runs/quickstart/data -o runs/quickstart/model
    pkm-train train --config r.yaml --data d/ -o run/ --resume \\
      --set train.lr=1e-3 --set model.memory=null
    pkm-train train --init-from run/ --data other/ -o tuned/ \\
      --set train.lr=1e-4 --set 'train.freeze=[embeddings]'
    """

  @Option(help: ArgumentHelp("Dataset directory made by pkm-data.", valueName: "directory"))
  var data: String

  @Option(
    help: ArgumentHelp("Recipe with sections model and train (default: all defaults).", valueName: "file")
  )
  var config: String?

  @Option(
    name: [.short, .customLong("output")], help: ArgumentHelp("Run directory.", valueName: "directory"))
  var output: String

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Set one key of the recipe; may be repeated.", valueName: "key.path=value"))
  var settings: [String] = []

  @Flag(help: "Continue from the last checkpoint, or start if there is none.")
  var resume = false

  @Option(
    help: ArgumentHelp(
      "Continue from this checkpoint of the run instead of its last one; later ones are renamed to step-….set-aside.",
      valueName: "checkpoint"))
  var resumeFrom: String?

  @Option(
    help: ArgumentHelp(
      "Begin with the parameters of another run (its newest checkpoint) or of a checkpoint.",
      valueName: "directory"))
  var initFrom: String?

  @Option(help: ArgumentHelp("Split to train on.", valueName: "name"))
  var split = "train"

  @Option(
    help: ArgumentHelp(
      "Split to evaluate on during training (default: valid if it exists, else none).", valueName: "name"
    ))
  var evalSplit: String?

  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  var files: [OwnFiles.Entry] {
    .output(output) + options.files + .inputs([data]) + .option(config, "--config")
  }

  func run() throws {
    let started = Progress.now()
    let initial = try initFrom.map { try Checkpoint($0) }
    var recipe = try RecipeFile.load(config, settings: settings, model: initial?.recipe.model)
    if let seed = options.givenSeed { recipe.train.seed = seed }
    let (engine, choice) = try chooseEngine(recipe)
    try options.report(try train(recipe, from: initial, on: engine.device, choice), since: started)
  }

  private func chooseEngine(_ recipe: TrainingRecipe) throws -> (Engine, EngineChoice) {
    let resumed = resume || resumeFrom != nil ? try Resumption.choose(in: output, named: resumeFrom) : nil
    return try Engine.forTraining(
      recipe, engine.wish, stored: resumed?.state.engine, measures: resumed == nil,
      threads: options.threadCount, say: { if !options.quiet { Log.line($0) } }, warn: { Log.warn($0) })
  }

  private func train(
    _ recipe: TrainingRecipe, from initial: Checkpoint?, on device: some Operations<Float>,
    _ choice: EngineChoice
  ) throws -> Summary {
    try Trainer(
      recipe: recipe, dataset: data, split: split, evaluationSplit: evalSplit, directory: output,
      resume: resume, resumeFrom: resumeFrom, initial: initial, on: device, engine: choice,
      isQuiet: options.quiet
    ).run()
  }
}
