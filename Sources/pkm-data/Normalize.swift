import ArgumentParser
import Commands
import Corpus
import Stages
import Support

struct Normalize: ParsableCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    abstract: "Unicode normalization and clean-up; text in, text out, order kept.",
    discussion: """
      The steps, in their order, with examples:

        --transform RULES: an ICU transliterator, by name, rules or @FILE of rules
            Latin-ASCII                     Ærøskøbing → AEroskobing
            "Any-Latin; Latin-ASCII"        Москва → Moskva
            "ä > ae; ö > oe; ü > ue;"       schön → schoen

        Control clean-up (not with --keep-controls): control, zero-width and
        bidirectional characters, soft hyphens, byte order marks and noncharacters
        go; joiners stay where Arabic, Indic scripts and emoji use them
            co(soft hyphen)operate → cooperate

        --form: how characters are composed, and whether variants are replaced
            nfkc (default)                  ﬁnd ½ ＡＢＣ ㎏ → find 1⁄2 ABC kg
            nfc                             e + ◌́ → é; ﬁ and ½ stay
            nfd; nfkd                       é → e + ◌́; ﬁ → fi as well
            none                            all stay

        --case: small letters, those of --locale; fold is for comparing
            lower                           ΟΔΟΣ Straße → οδος straße
            lower with --locale tr          DIŞ IŞIK İZ → dış ışık iz
            fold                            ΟΔΟΣ Straße → οδοσ strasse

        --strip-accents: off Latin, Greek and Cyrillic letters; other scripts keep
        their marks, and what remains is composed again
            Élève ά й が ไม้ → Eleve α и が ไม้

        --punctuation: typographic quotes, dashes, ellipses … to ASCII
            “Don’t”—he said… → "Don't" - he said...

        White space clean-up (not with --keep-whitespace): a run becomes one space,
        or one line end if it holds one, or two if it holds more; documents are
        trimmed; in a document of one line all of it is spaces
            a(tab) b(3 line ends)c → a b(2 line ends)c

        --sentences: one sentence a line, by ICU's boundaries; with a --locale, its
        abbreviations end none (--locale en@ss=none lets them). A line of text that
        holds three sentences becomes three lines; in JSON they are separated by
        line ends within the text. A line end in the text ends a sentence
            with --locale en                Mr. Fox ran. Why? → Mr. Fox ran.
                                                                Why?

        --tokenize: a space between words and punctuation, by ICU's boundaries, with
        its dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese
            "Don't," he said.               " Don't , " he said .
            我爱北京。                      我 爱 北京 。

      All of it applied twice is the same as once (but for --transform, and --sentences after --tokenize). Code points \
      not assigned in this Unicode stay and are counted (unassigned_characters): a later version may treat them otherwise.

      As many documents come out as went in, but for --sentences: a line stays a line, even an empty one. JSON fields \
      other than the text are kept byte for byte.

      Invalid UTF-8 becomes U+FFFD, one for each maximal ill-formed part; broken JSON lines are skipped; damaged \
      gzip or zstd files are read up to the break. All of it is counted in the summary, and fatal with --strict.

      EXAMPLES:
        cat raw.txt | pkm-data normalize > clean.txt
        pkm-data normalize --form nfc --case lower books/ -o clean.txt.zst
        pkm-data normalize --text-field body --output-format text pages.jsonl.gz -o pages.txt
        pkm-data normalize --sentences --locale en --tokenize books/ | pkm-data learn-bpe --mode word -o bpe.codes

      ICU \(Normalizer.icuVersion), Unicode \(Normalizer.unicodeVersion).
      """)

  enum Form: String, ExpressibleByArgument, CaseIterable { case nfc, nfkc, nfd, nfkd, none }
  enum Case: String, ExpressibleByArgument, CaseIterable { case none, lower, fold }

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions

  @Option(help: "The normalization form: \(Form.list).")
  var form = Form.nfkc

  @Option(help: "What happens to capitals: \(Case.list) (fold is for comparing, not for reading).")
  var `case` = Case.none

  @Flag(help: "Remove accents from Latin, Greek and Cyrillic letters.")
  var stripAccents = false

  @Option(
    help: ArgumentHelp(
      "An ICU transliterator: Latin-ASCII, rules such as \"ä > ae;\", or @FILE of rules.", valueName: "rules")
  )
  var transform: String?

  @Flag(help: "Typographic quotes, dashes and ellipses become ASCII.")
  var punctuation = false

  @Flag(help: "One sentence a line.")
  var sentences = false

  @Flag(help: "A space between words and punctuation.")
  var tokenize = false

  @Option(
    help: ArgumentHelp(
      "The language of --case, --sentences and --tokenize: tr, en, en_GB … (default: none).",
      valueName: "locale"))
  var locale: String?

  @Flag(help: "No white space clean-up.")
  var keepWhitespace = false

  @Flag(help: "No control clean-up.")
  var keepControls = false

  static let stageName = "normalize"
  static let role = RecipeRole.text
  static let recipeOptions: [RecipeOption] =
    InputOptions.recipeOptions + RunOptions.recipeOptions + [
      .text("form"), .text("case"), .flag("strip-accents"), RecipeOption("transform", kind: .textOrFile),
      .flag("punctuation"), .flag("sentences"), .flag("tokenize"), .text("locale"),
      .flag("keep-whitespace"), .flag("keep-controls"),
    ]
  static let optionsSetByRun: [String] = OutputOptions.optionsSetByRun + RunOptions.optionsSetByRun

  func run() throws {
    let started = Progress.now()
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
