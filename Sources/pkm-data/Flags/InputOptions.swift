import ArgumentParser
import Commands
import Corpus
import Stages
import Support

/// Which documents a command reads.
struct InputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case auto, text, jsonl, warc }
  enum Invalid: String, ExpressibleByArgument, CaseIterable { case replace, error, drop }
  enum Documents: String, ExpressibleByArgument, CaseIterable { case line, paragraph, file }

  static let recipeOptions: [RecipeOption] = [
    .text("input-format"), .text("documents"), .text("text-field"), .text("encoding"), .text("invalid"),
    .text("max-document-size"), .flag("strict"),
  ]

  @Argument(
    help: ArgumentHelp(
      """
      Files, directories, quoted patterns ('crawl/**/*.wet.gz') or - (default: standard input). gzip and zstd are \
      recognized by content.
      """,
      valueName: "input"))
  var inputs: [String] = []

  @Option(
    help: """
      How documents lie in the input: \(Format.list). auto looks at names and first lines. Of WARC and WET files the \
      records of plain text are documents, with url, date, id and language; others are counted as skipped.
      """)
  var inputFormat = Format.auto

  @Option(
    help: """
      What a document is in plain text: \(Documents.list) (default: line, but for learn-bpe, which takes a file as one \
      text). Paragraphs end at blank lines.
      """)
  var documents: Documents?

  @Option(
    help: ArgumentHelp(
      "Where a JSON line holds its text; a.b is the field of that name, else field b of a.", valueName: "name"
    ))
  var textField = "text"

  @Option(
    help: ArgumentHelp(
      """
      The character set of the input: utf-8, auto, or a name (windows-1252, shift_jis, \u{2026}). auto decides for each \
      file, or WARC record, by byte order mark, UTF-8 check, declared character set and detection. UTF-16 and UTF-32 \
      with a mark are always recognized.
      """, valueName: "name"))
  var encoding = "utf-8"

  @Option(
    help: """
      What happens to bytes that are no valid text: \(Invalid.list). replace makes U+FFFD of them, error ends the run \
      (exit code 65), drop skips the document. All are counted.
      """)
  var invalid = Invalid.replace

  @Option(
    help: ArgumentHelp(
      "Skip (and count) documents and JSON lines longer than this many bytes.", valueName: "size"))
  var maxDocumentSize = ByteSize(argument: "1G")!

  @Flag(help: "Fail (exit code 65) at the first input that would be repaired or skipped.")
  var strict = false

  /// `splitting` is how plain text is split without `--documents`.
  private func readerOptions(splitting: DocumentSplitting = .line) throws -> ReaderOptions {
    let splitting = documents.flatMap { DocumentSplitting(rawValue: $0.rawValue) } ?? splitting
    if splitting == .stream && invalid == .drop {
      throw ValidationError("--invalid drop needs documents to drop: add --documents line, paragraph or file")
    }
    return ReaderOptions(
      format: DocumentFormat(rawValue: inputFormat.rawValue), splitting: splitting,
      encoding: try Self.encoding(encoding), textField: textField,
      invalid: InvalidTextPolicy(rawValue: invalid.rawValue)!, isStrict: strict,
      longestDocument: maxDocumentSize.bytes)
  }

  /// The documents of the inputs or, in a recipe, of a pipe.
  func corpus(splitting: DocumentSplitting = .line, pipe: InnerPipe? = nil) throws -> CorpusInput {
    CorpusInput(
      pipe.map { [InputSource.pipe($0)] } ?? inputs.map { InputSource.path($0) },
      options: try readerOptions(splitting: splitting))
  }

  private static func encoding(_ name: String) throws -> TextEncoding {
    switch name.lowercased() {
    case "auto": return .automatic
    case "utf-8", "utf8": return .utf8
    default:
      guard let charset = Charset(name) else {
        // ICU has some two hundred character sets: too many to list.
        let near = Suggestion.nearest(to: name.lowercased(), among: ["auto"] + Charset.names)
        throw ValidationError(
          "ICU knows no character set \"\(name)\". "
            + (near.map { "Did you mean \"\($0)\"?" }
              ?? "Give auto or a name such as iso-8859-1, windows-1252, koi8-r, shift_jis or gb18030"))
      }
      return .named(charset)
    }
  }
}
