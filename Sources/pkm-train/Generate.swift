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
    An empty line generates a text without a prompt. Each continuation ends at the
    end of a document or after --tokens tokens.

    --batch n continues n prompts at once, which takes little longer than one. The
    texts of a batch are written when all of them are finished.
    """

  static let examples = """
    pkm-train generate --checkpoint runs/quickstart/model "The old man looked at"
    printf 'It was\\nShe said\\n' | pkm-train generate --temperature 0.7 \\
      --top-k 40 --checkpoint runs/quickstart/model
    pkm-train generate --checkpoint runs/quickstart/model --batch 32 \\
      < prompts.txt > texts.txt
    """

  @Argument(help: ArgumentHelp("Texts to continue.", valueName: "prompt"))
  var prompts: [String] = []

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

  @Option(help: ArgumentHelp("Number of prompts continued at once.", valueName: "n"))
  var batch = 1

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
      "a --temperature above 0", temperature > 0, ["--top-k": topK, "--top-p": topP != 1])
    try options.checkSeed("a --temperature above 0", isUsed: temperature > 0)
    if let topK, topK < 1 { throw ValidationError("--top-k must be at least 1") }
    if !(1e-6...1).contains(topP) {
      throw ValidationError("--top-p must be between 0.000001 and 1, not \(topP)")
    }
  }

  var files: [OwnFiles.Entry] {
    .output("-") + options.files
  }

  func run() throws {
    let started = Progress.now()
    let checkpoint = try Checkpoint(checkpoint)
    let encoder = BPEEncoder(try TokenizerFile.load(checkpoint.checkedPath(of: .tokenizer)))
    let tokenizer = encoder.tokenizer
    let engine = try checkpoint.makeEngine(
      threads: options.threadCount, kernels: engine.instructions, library: engine.library)
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
    try checkpoint.restore(model)
    guard let endOfDocument = tokenizer.endOfDocument else {
      throw Failure(.badInput, "has no end-of-document token", file: checkpoint.path(of: .tokenizer))
    }
    let generator = try Generator(
      model, pool: pool, endOfDocument: endOfDocument,
      sampling: Sampling(temperature: temperature, topK: topK, topP: topP), seed: options.seed, batch: batch)
    let output = try OutputFile(nil)
    // Prompts and the texts of tokens may come from files of others.
    let isShown = isatty(STDOUT_FILENO) == 1
    var summary = Summary()
    func answer(_ prompts: [String]) throws {
      let prompted = prompts.map { Array($0.utf8) }
      var masks = prompts.map { _ in Terminal.ByteMask() }
      func shown(_ bytes: [UInt8], _ index: Int) -> [UInt8] { isShown ? masks[index].masked(bytes) : bytes }
      var texts = prompted.indices.map { shown(prompted[$0], $0) }
      // A single text is written token by token, the texts of a larger batch when all are finished.
      if batch == 1 { try output.write(texts[0]) }
      try generator.generate(
        prompts: prompted.map { encoder.encode($0).map { Int32($0) } }, count: tokens
      ) { index, token in
        let bytes = shown(try tokenizer.decode([UInt32(token)]), index)
        if batch == 1 {
          try output.write(bytes)
          try output.flush()
        } else {
          texts[index] += bytes
        }
        summary.add(.tokens)
      }
      for text in texts { try output.write((batch == 1 ? [] : text) + [UInt8(ascii: "\n")]) }
      try output.flush()
      summary.add(.documentsOut, texts.count)
    }
    var waiting: [String] = []
    var given = prompts.makeIterator()
    while let prompt = prompts.isEmpty ? readLine() : given.next() {
      waiting.append(prompt)
      if waiting.count == batch {
        try answer(waiting)
        waiting = []
      }
    }
    if !waiting.isEmpty { try answer(waiting) }
    try output.finish()
    return summary
  }
}
