import ArgumentParser
import Commands
import Corpus
import Stages
import Support

struct Filter: DocumentedCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    abstract: "Drop documents by quality rules, length, language or blocklists.")

  static let details = """
    Rules are those of C4, Gopher (MassiveText), mC4 and FineWeb, with the
    thresholds of their papers. --rules takes groups (c4, mc4, gopher-quality,
    gopher-repetition, gopher for both, fineweb) and single rules; --list-rules
    prints them all. A document is dropped by the first rule of that list that it
    fails, and counted as dropped_RULE. The line rules of C4 remove lines from
    documents (counted as lines_removed_RULE) and trim the others; the other rules
    of c4 and those of fineweb see the remaining lines.
    Documents that contain only whitespace are always dropped, except with
    --without empty.

    Words are those of English tokenizers: a punctuation mark is a word, and
    "it's" is two. Each Han or hiragana character is a word; Thai, Lao, Khmer and
    Burmese are not divided. min-words and gopher-min-words do not count
    punctuation. Most rules are meant for whole pages, but plain text is split
    into lines unless --documents is given.

    --annotate drops and changes nothing. Every document becomes a JSON line with
    a field that holds the decision and all measured values:
      {"filter": {"kept": false, "rule": "gopher-min-words", "value": 7,
       "threshold": 50, "values": {…}}}

    Languages are identified by a fastText model that you supply. Download
    lid.176.ftz (917 kB) or lid.176.bin (126 MB) from
    https://fasttext.cc/docs/en/language-identification.html. A document is kept
    if a language of --language scores at least --language-threshold and none of
    --drop-language does.

    A blocklist holds one word or phrase per line. Case is ignored and only whole
    words match. Each line of a URL blocklist is a host, which also matches its
    subdomains, or an address without http://.

    The order of the documents is kept.
    """

  static let examples = """
    pkm-data filter --rules gopher,c4,fineweb --without c4-terminal-punctuation \\
      pages.jsonl.zst -o good.jsonl.zst
    pkm-data filter --language-model lid.176.ftz --language en,de \\
      --rejected other.jsonl pages.jsonl > en-de.jsonl
    pkm-data filter --rules gopher-quality --set gopher-min-words=20 \\
      --documents paragraph book.txt
    pkm-data filter --rules gopher,fineweb --annotate pages.jsonl | head
    pkm-data filter --min-chars 200 --blocklist words.txt --documents file \\
      texts/ -o kept.jsonl
    """

  @Option(help: ArgumentHelp("Groups or rules, separated by commas; may be repeated.", valueName: "names"))
  var rules: [String] = []

  @Option(help: ArgumentHelp("Groups or rules to leave out.", valueName: "names"))
  var without: [String] = []

  @Option(
    help: ArgumentHelp(
      "Change thresholds; several may be separated by commas or the option repeated.",
      valueName: "rule=value"))
  var set: [String] = []

  @Flag(help: "Print every rule with its threshold and source, then exit.")
  var listRules = false

  @Option(help: ArgumentHelp("Minimum number of words, not counting punctuation.", valueName: "n"))
  var minWords: Int?

  @Option(help: ArgumentHelp("Maximum number of words, not counting punctuation.", valueName: "n"))
  var maxWords: Int?

  @Option(help: ArgumentHelp("Minimum number of characters (code points).", valueName: "n"))
  var minChars: Int?

  @Option(help: ArgumentHelp("Maximum number of characters (code points).", valueName: "n"))
  var maxChars: Int?

  @Option(help: ArgumentHelp("Minimum number of lines, not counting empty ones.", valueName: "n"))
  var minLines: Int?

  @Option(help: ArgumentHelp("Maximum number of lines, not counting empty ones.", valueName: "n"))
  var maxLines: Int?

  @Option(help: ArgumentHelp("Drop documents that contain a word or phrase of this file.", valueName: "file"))
  var blocklist: String?

  @Option(help: ArgumentHelp("Drop documents from a host or address of this file.", valueName: "file"))
  var urlBlocklist: String?

  @Option(help: ArgumentHelp("JSON field that holds the address of a document.", valueName: "name"))
  var urlField = "url"

  @Option(help: ArgumentHelp("fastText model that identifies languages (.ftz or .bin).", valueName: "file"))
  var languageModel: String?

  @Option(
    help: ArgumentHelp(
      "Languages to keep, by the model's labels, such as en,de (default: any that reaches the threshold).",
      valueName: "labels"))
  var language: [String] = []

  @Option(help: ArgumentHelp("Languages to drop, by the model's labels.", valueName: "labels"))
  var dropLanguage: [String] = []

  @Option(help: ArgumentHelp("Minimum language score, 0 to 1 (default: 0.65).", valueName: "p"))
  var languageThreshold: Double?

  @Flag(help: "Add the decision and the measured values to each document instead of dropping any.")
  var annotate = false

  @Option(help: ArgumentHelp("Name of the JSON field that --annotate and --rejected add.", valueName: "name"))
  var annotationField = "filter"

  @Option(
    help: ArgumentHelp(
      "Write the dropped documents to this file as JSON lines, with rule and value.", valueName: "file"))
  var rejected: String?

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    try OptionUse.check(
      "filtering, which --list-rules does not do", !listRules,
      [
        "--rules": rules, "--without": without, "--set": set, "--annotate": annotate, "--rejected": rejected,
        "--output": output.output, "--summary": options.summary, "an input": input.inputs,
      ])
    try OptionUse.check(
      "--language-model", languageModel != nil, ["--language-threshold": languageThreshold])
    try OptionUse.check("--url-blocklist", urlBlocklist != nil, ["--url-field": urlField != "url"])
    try OptionUse.check(
      "--annotate and --rejected", annotate || rejected != nil,
      ["--annotation-field": annotationField != "filter"])
    if let languageThreshold, !(0...1).contains(languageThreshold) {
      throw ValidationError("--language-threshold must be between 0 and 1, not \(languageThreshold)")
    }
    if languageModel == nil && !(language.isEmpty && dropLanguage.isEmpty) {
      throw ValidationError(
        "Languages need a model: --language-model FILE. \(LanguageIdentifier.remedy)")
    }
    if annotate && output.outputFormat == .text {
      throw ValidationError("--annotate adds a field, and text has none: leave --output-format text out")
    }
    if annotate && rejected != nil {
      throw ValidationError("--annotate drops nothing: leave --rejected out")
    }
    let bounds = [
      ("words", minWords, maxWords), ("chars", minChars, maxChars), ("lines", minLines, maxLines),
    ]
    for (name, least, most) in bounds {
      for (option, value) in [("--min-\(name)", least), ("--max-\(name)", most)] {
        if let value, value < 0 { throw ValidationError("\(option) must be 0 or more, not \(value)") }
      }
      if let least, let most, least > most {
        throw ValidationError("--min-\(name) \(least) is more than --max-\(name) \(most)")
      }
    }
    if listRules { return }
    do { _ = try selection() } catch let failure as Failure { throw ValidationError(failure.description) }
  }

  static let stageName = "filter"
  static let role = RecipeRole.text
  static let recipeOptions: [RecipeOption] =
    InputOptions.recipeOptions + RunOptions.recipeOptions + [
      .list("rules"), .list("without"), .list("set"), .text("min-words"), .text("max-words"),
      .text("min-chars"), .text("max-chars"), .text("min-lines"), .text("max-lines"), .file("blocklist"),
      .file("url-blocklist"), .text("url-field"), .file("language-model"), .list("language"),
      .list("drop-language"), .text("language-threshold"), .flag("annotate"), .text("annotation-field"),
    ]
  static let optionsSetByRun: [String] =
    OutputOptions.optionsSetByRun + RunOptions.optionsSetByRun + ["rejected", "list-rules"]

  var files: [OwnFiles.Entry] {
    .output(output.output ?? "-") + .output(rejected, "--rejected") + options.files
      + .option(blocklist, "--blocklist") + .option(urlBlocklist, "--url-blocklist")
      + .option(languageModel, "--language-model")
  }

  func run() throws {
    if listRules { return print(Self.table) }
    let started = Progress.now()
    try input.checkFormats()
    try options.report(try run(StagePipes()), since: started)
  }

  func run(_ pipes: StagePipes) throws -> Summary {
    try FilterStage(
      input: input.corpus(pipe: pipes.input), output: output.corpus(pipe: pipes.output),
      settings: options.settings, filter: documentFilter(), rejected: rejected
    ).run()
  }

  private var leastScore: Double { languageThreshold ?? 0.65 }
  private var kept: [String] { Self.labels(language) }
  private var dropped: [String] { Self.labels(dropLanguage) }

  private func selection() throws -> FilterSelection {
    var given: [String: Double] = [:]
    let bounds = [
      ("min-words", minWords), ("max-words", maxWords), ("min-chars", minChars), ("max-chars", maxChars),
      ("min-lines", minLines), ("max-lines", maxLines),
    ]
    for (name, bound) in bounds { given[name] = bound.map { Double($0) } }
    if blocklist != nil { given["blocklist"] = 0 }
    if urlBlocklist != nil { given["url-blocklist"] = 0 }
    if languageModel != nil && (!kept.isEmpty || dropped.isEmpty) { given["language"] = leastScore }
    if languageModel != nil && !dropped.isEmpty { given["drop-language"] = leastScore }
    let selection = try FilterSelection(rules: rules, without: without, thresholds: set, given: given)
    guard selection.hasRules || rules.contains("empty") else {
      throw Failure(
        .usage, "nothing to filter by",
        remedy: """
          Choose rules, for example --rules gopher,fineweb (--list-rules shows them all), a length such as \
          --min-words 50, a --blocklist, or a --language-model
          """)
    }
    return selection
  }

  private func documentFilter() throws -> DocumentFilter {
    let selection = try selection()
    var filter = DocumentFilter(selection)
    filter.blocklist = try blocklist.map { try Blocklist(reading: $0) }
    filter.urlBlocklist = try urlBlocklist.map { try URLBlocklist(reading: $0) }
    filter.urlField = urlField
    filter.language = try languageModel.map {
      try LanguageRule(
        identifier: LanguageIdentifier(reading: $0), kept: kept, dropped: dropped,
        threshold: leastScore)
    }
    filter.annotates = annotate
    filter.annotationField = annotationField
    filter.keepsRejected = rejected != nil
    return filter
  }

  private static func labels(_ lists: [String]) -> [String] {
    lists.flatMap { $0.split(separator: ",").map(String.init) }
  }

  /// All rules, as `--list-rules` prints them.
  private static var table: String {
    let names = FilterRule.all.map(\.name)
    let width = names.map(\.count).max()! + 2
    func row(_ rule: FilterRule) -> String {
      let threshold = rule.threshold.map { $0 == $0.rounded() ? String(Int($0)) : String($0) }
      let bound =
        switch rule.bound {
        case .minimum: "at least \(threshold ?? "N")"
        case .maximum: "at most \(threshold ?? "N")"
        case .none: rule.isEdit ? "edits lines" : "line rule"
        }
      let lines = rule.isLineRule && rule.threshold != nil ? "lines: " : ""
      return "  " + TextColumns.left(rule.name, width) + TextColumns.left(bound, 18) + lines + rule.meaning
    }
    var lines = ["Rules with options of their own (--min-words N, --blocklist FILE, …)"]
    lines += FilterRule.all.filter { $0.group.isEmpty }.map(row)
    for group in FilterRuleGroup.all {
      lines += ["", "\(group.name): \(group.source)"]
      lines += FilterRule.all.filter { $0.group == group.name }.map(row)
    }
    return lines.joined(separator: "\n")
  }
}
