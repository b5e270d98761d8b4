import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Tokenization
import Training

struct Generate: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continue prompts with a trained model.")

  static let details = """
    Prompts are the arguments or, if there are none, the lines of standard input.
    An empty line generates a text without a prompt. Each continuation ends at
    the end of a document or after --tokens tokens.

    --batch n continues n prompts at once, which takes little longer than one.
    The texts of a batch are written when all of them are finished.

    --prompts reads JSON lines, each with a text (prompt or text) and, if it
    likes, an id, and the answers are JSON lines, too: id, prompt, text, tokens,
    the reason of the end (end_of_document, stop, length), and with
    --log-probabilities the ids and natural logarithms of the probabilities that
    the model itself gives the tokens, whatever the temperature and the other
    options of sampling. --json writes them for other prompts, too. --samples n
    writes n texts for each prompt.

    Of --top-k, --top-p and --min-p, each chooses among the tokens that the one
    before has left.

    A text never ends inside a character, and bytes that form no character are
    written as U+FFFD.
    """

  static let examples = """
    pkm-train generate --checkpoint runs/quickstart/model "The old man looked at"
    printf 'It was\\nShe said\\n' | pkm-train generate --temperature 0.7 \\
      --top-k 40 --checkpoint runs/quickstart/model
    pkm-train generate --checkpoint runs/quickstart/model --batch 32 \\
      < prompts.txt > texts.txt
    pkm-train generate --checkpoint run/ --prompts prompts.jsonl --samples 4 \\
      --min-p 0.1 --stop "." --log-probabilities
    """

  @Argument(help: ArgumentHelp("Texts to continue.", valueName: "prompt"))
  var givenPrompts: [String] = []
  var prompts: [String] { Operands.all(givenPrompts) }

  @Option(
    help: ArgumentHelp(
      "Run directory (its newest checkpoint) or checkpoint directory.", valueName: "directory"))
  var checkpoint: String

  @Option(help: ArgumentHelp("Maximum number of tokens per continuation.", valueName: "n"))
  var tokens = 200

  @Option(
    help: ArgumentHelp(
      "Flatten (above 1) or sharpen (below 1) the distribution; 0 always takes the most probable token.",
      valueName: "t"))
  var temperature = 0.8

  @Option(help: ArgumentHelp("Sample from the k most probable tokens only (default: all).", valueName: "k"))
  var topK: Int?

  @Option(
    help: ArgumentHelp(
      "Sample from the fewest most probable tokens whose probabilities sum to p.", valueName: "p"))
  var topP = 1.0

  @Option(
    help: ArgumentHelp(
      "Sample from the tokens that are at least p times as probable as the most probable one.", valueName: "p"
    ))
  var minP = 0.0

  @Option(
    help: ArgumentHelp(
      "Make tokens that are in the text already less probable (above 1) or more (below 1).", valueName: "x"))
  var repetitionPenalty = 1.0

  @Option(
    name: .customLong("stop"), parsing: .singleValue,
    help: ArgumentHelp("End a text before this string; may be repeated.", valueName: "string"))
  var stops: [String] = []

  @Option(help: ArgumentHelp("Texts for each prompt.", valueName: "n"))
  var samples = 1

  @Option(
    name: .customLong("prompts"),
    help: ArgumentHelp("Read the prompts from JSON lines; - is standard input.", valueName: "file"))
  var promptFile: String?

  @Flag(help: "Write a JSON object for each text.")
  var json = false

  @Flag(help: "With --json or --prompts: also write the tokens and their log-probabilities.")
  var logProbabilities = false

  @Option(help: ArgumentHelp("Number of prompts continued at once.", valueName: "n"))
  var batch = 1

  @OptionGroup var chosen: TrainedModelOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    if !(1...4096).contains(batch) {
      throw ValidationError("--batch must be between 1 and 4096, not \(batch)")
    }
    if !(1...1 << 40).contains(tokens) {
      throw ValidationError("--tokens must be between 1 and 2^40, not \(tokens)")
    }
    if temperature != 0 && !(1e-5...1e5).contains(temperature) {
      throw ValidationError("--temperature must be 0, or between 0.00001 and 100000, not \(temperature)")
    }
    try OptionUse.check(
      "a --temperature above 0", temperature > 0,
      ["--top-k": topK, "--top-p": topP != 1, "--min-p": minP != 0])
    try options.checkSeed("a --temperature above 0", isUsed: temperature > 0)
    if let topK, topK < 1 { throw ValidationError("--top-k must be at least 1") }
    if !(1e-6...1).contains(topP) {
      throw ValidationError("--top-p must be between 0.000001 and 1, not \(topP)")
    }
    if !(0...1).contains(minP) { throw ValidationError("--min-p must be between 0 and 1, not \(minP)") }
    if !(0.01...100).contains(repetitionPenalty) {
      throw ValidationError("--repetition-penalty must be between 0.01 and 100, not \(repetitionPenalty)")
    }
    if !(1...1_000_000).contains(samples) {
      throw ValidationError("--samples must be between 1 and 1000000, not \(samples)")
    }
    if stops.contains("") { throw ValidationError("--stop must not be empty") }
    if promptFile != nil && !prompts.isEmpty {
      throw ValidationError("Give prompts as arguments or with --prompts, not both")
    }
    try OptionUse.check("--json or --prompts", writesJSON, ["--log-probabilities": logProbabilities])
  }

  private var writesJSON: Bool { json || promptFile != nil }

  var files: [OwnFiles.Entry] {
    .output("-") + options.files + .option(promptFile, "--prompts")
  }

  func run() throws {
    let started = Progress.now()
    let checkpoint = try Checkpoint(checkpoint)
    let encoder = BPEEncoder(try TokenizerFile.load(checkpoint.checkedPath(of: .tokenizer)))
    let tokenizer = encoder.tokenizer
    let engine = try checkpoint.makeEngine(
      precision: chosen.precision, threads: options.threadCount, kernels: engine.instructions,
      library: engine.library)
    let summary = try generate(from: checkpoint, tokenizer, encoder, on: engine.device, pool: engine.pool)
    try options.report(summary, since: started)
  }

  /// Answers all prompts.
  private func generate(
    from checkpoint: Checkpoint, _ tokenizer: Tokenizer, _ encoder: BPEEncoder,
    on device: some Operations<Float>, pool: WorkerPool
  ) throws -> Summary {
    let configuration = checkpoint.recipe.model, together = (batch - 1) / configuration.context + 1
    try Footprint(
      generating: configuration, sequences: batch, maximumTokens: together * configuration.context, on: device
    ).check(against: MemoryLimit.bytes)
    let model = try checkpoint.makeModel(on: device, maximumSequences: together)
    try checkpoint.restore(model, averaged: chosen.average)
    guard let endOfDocument = tokenizer.endOfDocument else {
      throw Failure(.badInput, "has no end-of-document token", file: checkpoint.path(of: .tokenizer))
    }
    let generator = try Generator(
      model, pool: pool, endOfDocument: endOfDocument,
      sampling: Sampling(
        temperature: temperature, topK: topK, topP: topP, minP: minP, repetitionPenalty: repetitionPenalty),
      seed: options.seed, batch: batch, logProbabilities: logProbabilities)
    let output = try OutputFile(nil)
    // Prompts and the texts of tokens may come from files of others.
    let isShown = isatty(STDOUT_FILENO) == 1
    // A single text is written token by token, the texts of a larger batch when all are finished.
    let streams = batch == 1 && !writesJSON
    var summary = Summary()
    func answer(_ prompts: [Prompt]) throws {
      var texts = prompts.map { Continuation($0, stops: stops, isShown: isShown && !writesJSON) }
      if streams { try output.write(texts[0].shown(Array(prompts[0].text.utf8))) }
      try generator.generate(
        prompts: prompts.map { encoder.encode(Array($0.text.utf8)).map { Int32($0) } }, count: tokens
      ) { piece in
        let bytes = try texts[piece.prompt].add(piece, tokenizer)
        if streams {
          try output.write(texts[0].shown(bytes))
          try output.flush()
        }
        summary.add(.tokens)
        return !texts[piece.prompt].isStopped
      }
      for index in texts.indices {
        let rest = texts[index].finish()
        if writesJSON {
          try output.write(texts[index].json(most: tokens, logProbabilities: logProbabilities) + [0x0a])
        } else {
          let prompt = Array(prompts[index].text.utf8)
          try output.write(texts[index].shown(streams ? rest : prompt + texts[index].text) + [0x0a])
        }
      }
      try output.flush()
      summary.add(.documentsOut, texts.count)
    }
    var waiting: [Prompt] = []
    let source = try PromptSource(arguments: prompts, file: promptFile)
    while let prompt = try source.next() {
      for _ in 0..<samples {
        waiting.append(prompt)
        if waiting.count == batch {
          try answer(waiting)
          waiting = []
        }
      }
    }
    if !waiting.isEmpty { try answer(waiting) }
    try output.finish()
    return summary
  }
}
