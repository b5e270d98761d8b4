import ArgumentParser
import Commands
import Corpus
import Stages
import Support

struct Normalize: DocumentedCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    abstract: "Normalize and clean up text with ICU.")

  static let details = """
    The steps, in the order in which they run, with examples:

    --transform RULES: an ICU transliterator, by name, rules or @FILE of rules
      Latin-ASCII                   Ærøskøbing → AEroskobing
      "Any-Latin; Latin-ASCII"      Москва → Moskva
      "ä > ae; ö > oe; ü > ue;"     schön → schoen

    Control clean-up (off with --keep-controls): removes control, zero-width and
    bidirectional characters, soft hyphens, byte order marks and noncharacters.
    Joiners are kept where Arabic, Indic scripts and emoji need them.
      co(soft hyphen)operate → cooperate

    --form FORM: the Unicode normalization form
      nfkc (default)                ﬁnd ½ ＡＢＣ ㎏ → find 1⁄2 ABC kg
      nfc                           e + ◌́ → é; ﬁ and ½ are kept
      nfd                           é → e + ◌́; ﬁ and ½ are kept
      nfkd                          é → e + ◌́; ﬁ → fi
      none                          no change

    --case CASE: lower case by the rules of --locale, or case folding, which is
    for comparing and not for reading
      lower                         ΟΔΟΣ Straße → οδος straße
      lower with --locale tr        DIŞ IŞIK İZ → dış ışık iz
      fold                          ΟΔΟΣ Straße → οδοσ strasse

    --strip-accents: removes accents from Latin, Greek and Cyrillic letters.
    Marks of other scripts are kept, and the result is composed again.
      Élève ά й が ไม้ → Eleve α и が ไม้

    --punctuation: replaces typographic quotes, dashes and ellipses by ASCII
      “Don’t”—he said… → "Don't" - he said...

    Whitespace clean-up (off with --keep-whitespace): replaces each run of
    whitespace by one space, by one line feed if the run contains one, or by two
    line feeds if it contains more. Documents are trimmed. If a document is one
    line (--documents line), each run becomes a space.
      a(tab) b(3 line feeds)c → a b(2 line feeds)c

    --sentences: puts each sentence on a line of its own, at the sentence
    boundaries of ICU. With --locale, abbreviations of that language do not end a
    sentence; --locale en@ss=none turns that off. A line feed in the text ends a
    sentence. A line of text that holds three sentences becomes three lines; in
    JSON, line feeds within the text separate the sentences.
      with --locale en              Mr. Fox ran. Why? → Mr. Fox ran.
                                                        Why?

    --tokenize: puts a space between words and punctuation, at the word
    boundaries of ICU, which has dictionaries for Chinese, Japanese, Thai, Lao,
    Khmer and Burmese.
      "Don't," he said.             " Don't , " he said .
      我爱北京。                    我 爱 北京 。

    Normalizing the output again does not change it, except with --transform and
    with --sentences after --tokenize. Code points that this version of Unicode
    does not assign are kept and counted (unassigned_characters), because a later
    version may treat them differently.

    Every input document gives one output document, in the same order; only
    --sentences can turn a line into several. JSON fields other than the text are
    copied byte for byte.

    Each maximal ill-formed part of the UTF-8 becomes U+FFFD. Broken JSON lines
    are skipped. Reading resumes after damage at the next gzip member or zstd
    frame. The summary counts all of these; with --strict they are errors.

    ICU \(Normalizer.icuVersion), Unicode \(Normalizer.unicodeVersion).
    """

  static let examples = """
    cat raw.txt | pkm-data normalize > clean.txt
    pkm-data normalize --form nfc --case lower books/ -o clean.txt.zst
    pkm-data normalize --text-field body --output-format text \\
      pages.jsonl.gz -o pages.txt
    pkm-data normalize --sentences --locale en --tokenize books/ -o words.txt
    """

  enum Form: String, ExpressibleByArgument, CaseIterable { case nfc, nfkc, nfd, nfkd, none }
  enum Case: String, ExpressibleByArgument, CaseIterable { case none, lower, fold }

  @Option(help: "Unicode normalization form.")
  var form = Form.nfkc

  @Option(help: "Letter case; fold is for comparing, not for reading.")
  var `case` = Case.none

  @Flag(help: "Remove accents from Latin, Greek and Cyrillic letters.")
  var stripAccents = false

  @Option(
    help: ArgumentHelp(
      "ICU transliterator: a name such as Latin-ASCII, rules such as \"ä > ae;\", or @FILE.",
      valueName: "rules")
  )
  var transform: String?

  @Flag(help: "Replace typographic quotes, dashes and ellipses by ASCII.")
  var punctuation = false

  @Flag(help: "Put each sentence on a line of its own.")
  var sentences = false

  @Flag(help: "Put spaces between words and punctuation.")
  var tokenize = false

  @Option(
    help: ArgumentHelp(
      "Language for --case, --sentences and --tokenize, such as tr, en or en_GB (default: none).",
      valueName: "locale"))
  var locale: String?

  @Flag(help: "Skip the whitespace clean-up.")
  var keepWhitespace = false

  @Flag(help: "Skip the control-character clean-up.")
  var keepControls = false

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    try OptionUse.check(
      "--case, --sentences and --tokenize", `case` != .none || sentences || tokenize, ["--locale": locale])
  }

  static let stageName = "normalize"
  static let role = RecipeRole.text
  static let recipeOptions: [RecipeOption] =
    InputOptions.recipeOptions + RunOptions.recipeOptions + [
      .text("form"), .text("case"), .flag("strip-accents"), RecipeOption("transform", kind: .textOrFile),
      .flag("punctuation"), .flag("sentences"), .flag("tokenize"), .text("locale"),
      .flag("keep-whitespace"), .flag("keep-controls"),
    ]
  static let optionsSetByRun: [String] = OutputOptions.optionsSetByRun + RunOptions.optionsSetByRun

  var files: [OwnFiles.Entry] {
    .output(output.output ?? "-") + options.files
      + .option(transform.flatMap { $0.hasPrefix("@") ? String($0.dropFirst()) : nil }, "--transform")
  }

  func run() throws {
    let started = Progress.now()
    try input.checkFormats()
    try options.report(try run(StagePipes()), since: started)
  }

  func run(_ pipes: StagePipes) throws -> Summary {
    let normalization = NormalizationOptions(
      form: .init(rawValue: form.rawValue)!, letterCase: .init(rawValue: `case`.rawValue)!,
      stripsAccents: stripAccents, transform: try rules(), plainsPunctuation: punctuation,
      cleansWhitespace: !keepWhitespace, cleansControls: !keepControls, splitsSentences: sentences,
      tokenizes: tokenize, locale: locale ?? "")
    return try NormalizeStage(
      input: input.corpus(pipe: pipes.input), output: output.corpus(pipe: pipes.output),
      settings: options.settings, options: normalization
    ).run()
  }

  /// The transform, read from its file where it names one.
  private func rules() throws -> String? {
    guard let transform, transform.hasPrefix("@") else { return transform }
    let path = String(transform.dropFirst())
    let bytes = try MappedFile.read(path)
    guard bytes.withUnsafeBytes(UTF8Repair.isValid) else {
      throw Failure(.usage, "is not UTF-8", file: path, remedy: "Save the rules as UTF-8")
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
