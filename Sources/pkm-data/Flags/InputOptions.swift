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
    .text("input-format"), .text("documents"), .text("text-field"), .text("columns"), .text("encoding"),
    .text("invalid"),
    .text("max-document-size"), .flag("strict"), .flag("allow-empty"), .text("expect-documents"),
  ]

  @Argument(
    help: ArgumentHelp(
      """
      Files, directories, quoted patterns such as 'crawl/**/*.wet.gz', or - for standard input (the default). gzip \
      and zstd are detected by content, and so are Parquet files. Other kinds of files, such as xz, zip, tar or PDF, \
      are refused; in \
      directories and patterns they are skipped and counted.
      """,
      valueName: "input"))
  var givenInputs: [String] = []
  var inputs: [String] { Operands.all(givenInputs) }

  @Option(
    help: ArgumentHelp(
      """
      Format of the input. auto decides by file name and first lines. JSON may be one object a line, objects over \
      several lines, or an array of objects. Plain-text records of WARC and WET files become \
      documents with url, date, id and language; other records are counted as skipped. Each row of a Parquet file is \
      a document, read as a JSON object of its columns; folders above it named key=value add their keys as strings.
      """, valueName: "format"))
  var inputFormat = Format.auto

  @Option(
    help: ArgumentHelp(
      """
      Unit of plain text that is a document; paragraphs end at blank lines (default: line; for learn-bpe and count-words: \
      file).
      """, valueName: "unit"))
  var documents: Documents?

  @Option(
    name: .customLong("text-field"),
    help: ArgumentHelp(
      "JSON field or Parquet column that holds the text; a.b is the field of that name, or else field b of a (default: text).",
      valueName: "name"
    ))
  var givenTextField: String?

  @Option(
    name: .customLong("columns"),
    help: ArgumentHelp(
      "Parquet: columns to keep besides the text, between commas (default: all).", valueName: "names"))
  var givenColumns: String?

  @Option(
    help: ArgumentHelp(
      """
      Encoding of the input: utf-8, auto, or a name such as windows-1252 or shift_jis. Names mean what the Encoding \
      Standard (WHATWG) says, also in WARC: gb2312 is gb18030, iso-8859-1 is windows-1252, utf-16 is UTF-16LE. auto \
      decides per file, JSON line or WARC record, by byte order mark, UTF-8 check, declared encoding and detection; \
      UTF-8 may hold a small share of other bytes. A byte order mark overrules all names.
      """, valueName: "name"))
  var encoding = "utf-8"

  @Option(
    name: .customLong("invalid"),
    help: ArgumentHelp(
      """
      How to treat bytes that are not valid text: replace them by U+FFFD, stop with an error (exit code 65), or drop \
      the document. All are counted (default: replace).
      """, valueName: "policy"))
  var givenInvalid: Invalid?

  @Option(
    help: ArgumentHelp(
      "Skip and count documents and JSON lines that are longer than this.", valueName: "size"))
  var maxDocumentSize = ByteSize(argument: "1G")!

  @Flag(
    help: """
      Stop (exit code 65) at the first input that would be repaired or skipped. Pipes, devices, datasets and outputs in a \
      directory are no input: they are left out, with a word, even so.
      """)
  var strict = false

  @Flag(help: "Accept input that is not empty but holds no document; without this it is an error (65).")
  var allowEmpty = false

  @Option(
    help: ArgumentHelp(
      """
      Stop with an error (65) unless this many documents were read, or any at all: a number or some. Empty input, such \
      as that of a pipe whose writer has failed, is accepted without it.
      """, valueName: "number"))
  var expectDocuments: String?

  var textField: String { givenTextField ?? "text" }
  var invalid: Invalid { givenInvalid ?? .replace }

  /// `splitting` is how plain text is split without `--documents`.
  private func readerOptions(splitting: DocumentSplitting = .line) throws -> ReaderOptions {
    let splitting = documents.flatMap { DocumentSplitting(rawValue: $0.rawValue) } ?? splitting
    if splitting == .stream && invalid == .drop {
      throw ValidationError("--invalid drop needs documents to drop: add --documents line, paragraph or file")
    }
    var options = ReaderOptions(
      format: DocumentFormat(rawValue: inputFormat.rawValue), splitting: splitting,
      encoding: try Self.encoding(encoding), textField: textField,
      invalid: InvalidTextPolicy(rawValue: invalid.rawValue)!, isStrict: strict,
      longestDocument: maxDocumentSize.bytes)
    options.allowsEmpty = allowEmpty
    options.columns = try givenColumns.map(Self.columns)
    options.expected = try expectDocuments.map(Self.expected)
    return options
  }

  private static func columns(_ text: String) throws -> [String] {
    let names = text.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
    if names.contains("") { throw ValidationError("--columns has an empty name: \"\(text)\"") }
    return names
  }

  private static func expected(_ text: String) throws -> ExpectedDocuments {
    if text == "some" { return .some }
    guard let count = Int(text), count >= 0 else {
      throw ValidationError("--expect-documents is a number or some, not \"\(text)\"")
    }
    return .exactly(count)
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
