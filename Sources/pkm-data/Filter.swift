import ArgumentParser
import Commands
import Corpus
import Stages
import Support

struct Filter: ParsableCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    abstract: "Drops documents by published quality rules, length, language and blocklists; order kept.",
    discussion: """
      Rules are those of C4, Gopher (MassiveText), mC4 and FineWeb, with the thresholds of their papers; --rules takes \
      groups (c4, mc4, gopher-quality, gopher-repetition, gopher for both, fineweb) and single rules, --list-rules \
      shows them all. A document is dropped by the first rule that it fails, in the order of that list, and counted as \
      dropped_RULE. The line rules of C4 take lines out of documents (lines_removed_RULE) and trim the rest; the rules \
      of c4 and fineweb see what they leave. Documents of nothing but white space are always dropped \
      (--without empty keeps them).

      Words are what tokenizers of English make: punctuation marks are words of their own, it's is two. Han and \
      hiragana characters are a word each; Thai, Lao, Khmer and Burmese are not divided. min-words and \
      gopher-min-words do not count punctuation. Plain text is split into lines unless --documents says otherwise: \
      most rules are about whole pages.

      --annotate drops nothing and changes nothing: every document gets a field with the decision and all measured \
      values, {"filter": {"kept": false, "rule": "gopher-min-words", "value": 7, "threshold": 50, "values": {…}}}, and \
      becomes a JSON line.

      Languages are named by a fastText model that you give. \(LanguageIdentifier.remedy). A document stays if the \
      score of one of --language reaches --language-threshold, and none of --drop-language does.

      A blocklist holds a word or phrase a line, of any case, found as whole words; a URL blocklist holds hosts (with \
      all hosts below) or addresses without http://.

      EXAMPLES:
        pkm-data filter --rules gopher,c4,fineweb --without c4-terminal-punctuation pages.jsonl.zst -o good.jsonl.zst
        pkm-data filter --language-model lid.176.ftz --language en,de --rejected other.jsonl pages.jsonl > en-de.jsonl
        pkm-data filter --rules gopher-quality --set gopher-min-words=20 --documents paragraph book.txt
        pkm-data filter --rules gopher,fineweb --annotate pages.jsonl | jq .filter.values
        pkm-data filter --min-chars 200 --blocklist words.txt --documents file texts/ -o kept.jsonl
      """)

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions

  @Option(help: ArgumentHelp("Groups or rules, separated by commas; may be repeated.", valueName: "names"))
  var rules: [String] = []

  @Option(help: ArgumentHelp("Groups or rules to leave out.", valueName: "names"))
  var without: [String] = []

  @Option(
    help: ArgumentHelp(
      "Another threshold; several separated by commas, or repeated.", valueName: "rule=value"))
  var set: [String] = []

  @Flag(help: "Print every rule with its threshold and source, and do nothing else.")
  var listRules = false

  @Option(
    help: ArgumentHelp("Words that a document has at least; punctuation is not counted.", valueName: "n"))
  var minWords: Int?

  @Option(help: ArgumentHelp("Words that it has at most.", valueName: "n"))
  var maxWords: Int?

  @Option(help: ArgumentHelp("Characters (code points) that a document has at least.", valueName: "n"))
  var minChars: Int?

  @Option(help: ArgumentHelp("Characters that it has at most.", valueName: "n"))
  var maxChars: Int?

  @Option(
    help: ArgumentHelp("Lines that a document has at least; empty ones are not counted.", valueName: "n"))
  var minLines: Int?

  @Option(help: ArgumentHelp("Lines that it has at most.", valueName: "n"))
  var maxLines: Int?

  @Option(help: ArgumentHelp("Words and phrases that no document may hold.", valueName: "file"))
  var blocklist: String?

  @Option(help: ArgumentHelp("Hosts and addresses that no document may come from.", valueName: "file"))
  var urlBlocklist: String?

  @Option(help: ArgumentHelp("The field of a JSON line that holds its address.", valueName: "name"))
  var urlField = "url"

  @Option(help: ArgumentHelp("A fastText model that names languages (.ftz or .bin).", valueName: "file"))
  var languageModel: String?

  @Option(
    help: ArgumentHelp(
      "Languages that stay, as the model calls them: en,de (default: any of which it is sure).",
      valueName: "labels"))
  var language: [String] = []

  @Option(help: ArgumentHelp("Languages that are dropped.", valueName: "labels"))
  var dropLanguage: [String] = []

  @Option(help: ArgumentHelp("The score, 0 to 1, from which a document is of a language.", valueName: "p"))
  var languageThreshold = 0.65

  @Flag(help: "Write decisions and values into the documents instead of dropping any.")
  var annotate = false

  @Option(help: ArgumentHelp("The field that --annotate and --rejected add.", valueName: "name"))
  var annotationField = "filter"

  @Option(
    help: ArgumentHelp(
      "Write the dropped documents, with the rule and the value, as JSON lines.", valueName: "file"))
  var rejected: String?

  func validate() throws {
    if !(0...1).contains(languageThreshold) {
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
      if let bad = [least, most].compactMap({ $0 }).first(where: { $0 < 0 }) {
        throw ValidationError("a bound of \(name) must not be negative, as \(bad) is")
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

  func run() throws {
    if listRules { return print(Self.table) }
    let started = Progress.now()
    try options.report(try run(StagePipes()), since: started)
  }

  func run(_ pipes: StagePipes) throws -> Summary {
    try FilterStage(
      input: input.corpus(pipe: pipes.input), output: output.corpus(pipe: pipes.output),
      settings: options.settings, filter: documentFilter(), rejected: rejected
    ).run()
  }

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
    if languageModel != nil && (!kept.isEmpty || dropped.isEmpty) { given["language"] = languageThreshold }
    if languageModel != nil && !dropped.isEmpty { given["drop-language"] = languageThreshold }
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
        threshold: languageThreshold)
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
