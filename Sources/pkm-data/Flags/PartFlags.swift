import ArgumentParser
import Corpus
import Stages
import Support

/// Options of the methods that take parts out of documents.
struct PartFlags: ParsableArguments {
  enum Unit: String, ExpressibleByArgument, CaseIterable { case line, paragraph, word, byte, token }

  @Option(
    help: """
      paragraph: what is compared and removed, line (default) or paragraph (lines between blank lines). substring: what \
      --min-length counts, word (default), byte or token (default with --tokenizer).
      """)
  var unit: Unit?

  @Option(
    name: [.customLong("tokenizer"), .customLong("codes")],
    help: ArgumentHelp(
      "substring: byte-level tokenizer whose tokens --min-length counts, in any format that encode reads.",
      valueName: "file"))
  var tokenizer: String?

  @Option(
    help: ArgumentHelp(
      "paragraph: drop documents that lost text and have fewer words left (default: 1).", valueName: "n"))
  var minWords: Int?

  @Option(
    help: ArgumentHelp(
      "paragraph: drop documents that lost text and have fewer characters left (default: 1).", valueName: "n")
  )
  var minCharacters: Int?

  @Option(
    help: ArgumentHelp(
      "substring: minimum length of a span (default: 50 words or tokens, or 100 bytes).", valueName: "n")
  )
  var minLength: Int?

  @Flag(help: "substring: cut the first occurrence, too.")
  var everyCopy = false

  func validate() throws {
    if let minLength, !(1...1_000_000).contains(minLength) {
      throw ValidationError("--min-length must be between 1 and 1000000, not \(minLength)")
    }
    if let unit, (unit == .token) != (tokenizer != nil) {
      throw ValidationError("--unit token and --tokenizer go together")
    }
  }

  static let recipeOptions: [RecipeOption] = [
    .text("unit"), RecipeOption("tokenizer", "codes", kind: .file), .text("min-words"),
    .text("min-characters"), .text("min-length"), .flag("every-copy"),
  ]

  var paragraphs: ParagraphDedupOptions {
    var options = ParagraphDedupOptions()
    options.unit = unit == .paragraph ? .paragraph : .line
    if let minWords { options.minimumWords = minWords }
    if let minCharacters { options.minimumCharacters = minCharacters }
    return options
  }

  func spans(seed: UInt64) -> SpanOptions {
    let unit: SpanUnit = tokenizer != nil ? .token : unit == .byte ? .byte : .word
    return SpanOptions(
      unit: unit, length: minLength ?? (unit == .byte ? 100 : 50), keepsFirst: !everyCopy, seed: seed)
  }
}
