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

    --text evaluates plain text or JSON lines instead, tokenized on the way: each
    document by itself, from its first token, which follows an end-of-document
    token, to its end.

    --choices evaluates questions, one JSON object a line: a context (query, ctx,
    context or question), choices (choices or endings) and the index of the right
    one (gold, label or answer), as HellaSwag and ARC have them; or a text alone
    whose last word is to be found, as in LAMBADA. A choice follows its context
    after a space; it is judged by its log-probability, and by that per character
    (acc and acc_norm of lm-evaluation-harness).
    """

  static let examples = """
    pkm-train eval --checkpoint runs/quickstart/model --split test
    pkm-train eval --checkpoint runs/quickstart/model/step-00000600 \\
      --data d/ --split valid --summary valid.json
    pkm-train eval --checkpoint run/ --text page.txt --stride 64 --json
    pkm-train eval --checkpoint run/ --choices hellaswag.jsonl
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

  @Option(
    help: ArgumentHelp(
      "Evaluate this text, or these JSON lines, instead of a dataset; may be repeated.", valueName: "file"))
  var text: [String] = []

  @Option(help: ArgumentHelp("Evaluate these questions (JSON lines) instead.", valueName: "file"))
  var choices: String?

  @OptionGroup var reading: DocumentOptions

  @Flag(help: "Print the result as JSON, all that --summary has.")
  var json = false

  @Flag(help: "Also evaluate the model as initialized, before any training.")
  var baseline = false

  @Option(help: ArgumentHelp("Sequences per batch.", valueName: "n"))
  var batch = 8

  @OptionGroup var chosen: TrainedModelOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    if !(1...4096).contains(batch) {
      throw ValidationError("--batch must be between 1 and 4096, not \(batch)")
    }
    if !text.isEmpty && choices != nil { throw ValidationError("Give either --text or --choices") }
    let isDataset = text.isEmpty && choices == nil
    try OptionUse.check(
      "datasets, without --text or --choices", isDataset,
      ["--data": data, "--split": split, "--packing": packing, "--baseline": baseline])
    try OptionUse.check(
      "--text", !text.isEmpty,
      ["--documents": reading.documents, "--text-field": reading.textField, "--stride": reading.stride])
  }

  var files: [OwnFiles.Entry] {
    options.files + .inputs(text) + .option(choices, "--choices")
  }

  func run() throws {
    let started = Progress.now()
    let checkpoint = try Checkpoint(checkpoint)
    func engine() throws -> Engine {
      try checkpoint.makeEngine(
        precision: chosen.precision, threads: options.threadCount, kernels: self.engine.instructions,
        library: self.engine.library)
    }
    if !text.isEmpty || choices != nil {
      let engine = try engine()
      let summary = try evaluateText(checkpoint, on: engine.device, pool: engine.pool)
      return try report(summary, since: started)
    }
    let dataset = try openDataset(of: checkpoint)
    try checkpoint.checkTokenizer(
      sha256: dataset.index.tokenizer.sha256, vocabularySize: dataset.index.vocabularySize, of: dataset.path)
    let split =
      try split
      ?? ["test", "valid"].first { dataset.splits.contains($0) }
      .orThrow(
        Failure(
          .usage, "has no split named test or valid", file: dataset.path,
          remedy: "Name one of its splits with --split"))

    try report(
      try evaluate(checkpoint, on: dataset, split: split, device: engine().device), since: started)
  }

  private func report(_ summary: Summary, since started: Double) throws {
    if json { print(summary.json, terminator: "") }
    try options.report(summary, since: started)
  }

  /// The line of a result, unless it is printed as JSON.
  private func show(_ line: String) {
    if !json { Terminal.print(line) }
  }

  private func evaluateText(
    _ checkpoint: Checkpoint, on device: some Operations<Float>, pool: WorkerPool
  ) throws -> Summary {
    let scoring = try DocumentScoring(
      checkpoint, averaged: chosen.average, stride: reading.stride, sequences: batch, on: device, pool: pool)
    var summary = Summary()
    if let choices {
      let result = try answer(choices, scoring)
      if result.questions > 0 {
        show(
          String(
            format: "questions: %d, accuracy %.4f, per character %.4f", result.questions, result.accuracy,
            result.accuracyPerCharacter))
        summary[.questions] = .count(result.questions)
        summary[.accuracy] = .number(result.accuracy)
        summary[.accuracyPerCharacter] = .number(result.accuracyPerCharacter)
      }
      if result.words > 0 {
        show(
          String(
            format: "last words: %d, accuracy %.4f, perplexity %.2f", result.words, result.wordAccuracy,
            result.wordPerplexity))
        summary[.lastWords] = .count(result.words)
        summary[.lastWordAccuracy] = .number(result.wordAccuracy)
        summary[.lastWordPerplexity] = .number(result.wordPerplexity)
      }
    } else {
      var result = TextEvaluation()
      summary = try scoring.score(text, reading, isQuiet: options.quiet) {
        result.add($0.scores, text: $0.text)
      }
      show(result.summaryLine)
      summary[.documents] = .count(result.documents)
      summary[.tokens] = .count(result.tokens)
      summary[.nll] = .number(result.nll)
      summary[.perplexity] = .number(result.perplexity)
      summary[.wordPerplexity] = .number(result.wordPerplexity)
      summary[.bitsPerByte] = .number(result.bitsPerByte)
    }
    summary[.checkpoint] = .text(checkpoint.directory)
    summary[.step] = .count(checkpoint.state.step)
    return summary
  }

  private func answer(_ path: String, _ scoring: DocumentScoring<some Operations<Float>>) throws
    -> ChoiceResult
  {
    let lines = try InputFile.contents(of: path).split(separator: 0x0a, omittingEmptySubsequences: false)
    var questions: [ChoiceQuestion] = []
    for (index, line) in lines.enumerated() where !line.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 })
    {
      do { questions.append(try ChoiceQuestion(JSONValue(parsing: Array(line)))) } catch let failure
        as Failure
      {
        throw Failure(.badInput, failure.message, file: path, line: index + 1, remedy: failure.remedy)
      }
    }
    guard !questions.isEmpty else { throw Failure(.badInput, "has no questions", file: path) }
    var result = ChoiceResult()
    let progress = Progress("answering", unit: " questions", isQuiet: options.quiet)
    for first in stride(from: 0, to: questions.count, by: 64) {
      let part = Array(questions[first..<min(first + 64, questions.count)])
      for (question, scores) in zip(part, try scoring.score(part)) { result.add(question, scores) }
      progress.update(done: first + part.count, of: questions.count)
    }
    progress.finish()
    return result
  }

  /// The dataset of --data, or the one that training noted, which may have been named from another directory.
  private func openDataset(of checkpoint: Checkpoint) throws -> Dataset {
    let noted = checkpoint.state.datasetPath
    if data == nil && !Path.exists(noted) {
      throw Failure(
        .inputOutput, "is not here: training named this dataset, seen from where it ran", file: noted,
        remedy: "Name the dataset with --data, or a text with --text")
    }
    return try Dataset(data ?? noted)
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
      show("before training: " + before.summaryLine)
      summary[.baselinePerplexity] = .number(before.perplexity)
    }
    try checkpoint.restore(model, averaged: chosen.average)
    let result = try Evaluation.run(
      model, dataset: dataset, split: split, packing: packing, sequences: batch, isQuiet: options.quiet)
    show((baseline ? "after \(checkpoint.state.step) steps: " : "") + result.summaryLine)
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
