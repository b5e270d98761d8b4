import ArgumentParser
import Commands
import Stages
import Tokenization

/// How words are counted: what `learn-bpe` and `count-words` share.
struct CountingOptions: ParsableArguments {
  enum Splitter: String, ExpressibleByArgument, CaseIterable { case gpt2, cl100k, o200k, whitespace, none }
  enum Mode: String, ExpressibleByArgument, CaseIterable {
    case byteLevel = "byte-level"
    case word
  }

  @Option(
    help: "Kind of words: pre-tokens (byte-level) or words between whitespace (word) (default: byte-level).")
  var mode: Mode?

  @Option(help: "Byte-level: how text is split into pre-tokens, which no merge crosses (default: gpt2).")
  var preTokenizer: Splitter?

  @Option(
    help: ArgumentHelp(
      "Memory for counting; beyond it, temporary files are used (default: a quarter of the RAM that the process may use).",
      valueName: "size"))
  var memory: ByteSize?

  @Option(
    help: ArgumentHelp("Directory for temporary files (default: $TMPDIR or /tmp).", valueName: "directory"))
  var temporaryDirectory: String?

  func validate() throws {
    if mode == .word && preTokenizer != nil {
      throw ValidationError("--mode word has a pre-tokenizer of its own; leave --pre-tokenizer out")
    }
  }

  /// The pre-tokenizer that the options name; nil where they name none.
  var givenPreTokenizer: PreTokenizer? {
    mode == .word ? .words : preTokenizer.map { PreTokenizer(rawValue: $0.rawValue)! }
  }

  static let recipeOptions: [RecipeOption] = [
    .text("mode"), .text("pre-tokenizer"), .text("memory"), .text("temporary-directory"),
  ]

  func wordCounting(_ settings: StageSettings) -> WordCountOptions {
    WordCountOptions(
      givenPreTokenizer: givenPreTokenizer, memory: memory?.bytes, temporaryDirectory: temporaryDirectory,
      settings: settings)
  }
}
