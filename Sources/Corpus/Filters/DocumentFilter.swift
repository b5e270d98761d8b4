import Support

/// Which languages stay.
package struct LanguageRule: Sendable {
  package let identifier: LanguageIdentifier
  /// Numbers of languages; none: every language of which the model is sure enough.
  let kept: [Int]
  let dropped: [Int]
  let threshold: Double

  package init(
    identifier: LanguageIdentifier, kept: [String], dropped: [String], threshold: Double
  ) throws {
    self.identifier = identifier
    self.threshold = threshold
    func numbers(_ names: [String]) throws -> [Int] {
      try names.map { name in
        if let number = identifier.languages.firstIndex(of: name) { return number }
        let known = identifier.languages.sorted().prefix(200).joined(separator: " ")
        throw Failure(
          .usage, "the language model has no label \"\(name)\"", remedy: "Its labels are: \(known)")
      }
    }
    self.kept = try numbers(kept)
    self.dropped = try numbers(dropped)
  }

  /// What the rules ask about a text.
  struct Answer {
    /// nil: the model knows nothing in the text.
    var best: LanguageIdentifier.Guess?
    /// The highest score of a language to keep, and of one to drop.
    var kept = 0.0
    var dropped = 0.0
  }

  func answer(_ text: UnsafeRawBufferPointer) -> Answer {
    // Scores sum up to one: above a half only the best can reach the threshold.
    let count = threshold > 0.5 || kept.isEmpty && dropped.isEmpty ? 1 : identifier.languages.count
    let guesses = identifier.guesses(text, count: count)
    func highest(_ languages: [Int]) -> Double {
      guesses.first { languages.contains($0.language) }?.score ?? 0
    }
    return Answer(
      best: guesses.first, kept: kept.isEmpty ? guesses.first?.score ?? 0 : highest(kept),
      dropped: highest(dropped))
  }
}

/// Everything a run of the filter goes by.
package struct DocumentFilter: Sendable {
  package var selection: FilterSelection
  package var language: LanguageRule?
  package var blocklist: Blocklist?
  package var urlBlocklist: URLBlocklist?
  /// The field of a document that holds its address.
  package var urlField = "url"
  /// The decision and all measured values go into a field of the document, and nothing is dropped or changed.
  package var annotates = false
  package var annotationField = "filter"
  /// Whether dropped documents are handed over.
  package var keepsRejected = false

  package init(_ selection: FilterSelection) { self.selection = selection }

  package struct Result: Sendable {
    package var documents: DocumentBatch
    /// The documents that were dropped, with the rule in a field of theirs.
    package var rejected: DocumentBatch?
  }

  /// The names of all counts that a run may have, at 0.
  package var emptyCounts: Summary {
    var counts = Summary()
    for name in ["documents_out", droppedName] { counts.add(name, 0) }
    if selection.lineSettings?.changesText == true { counts.add("documents_changed", 0) }
    for active in selection.rules { counts.add(countName(active.rule), 0) }
    return counts
  }

  private var droppedName: String { annotates ? "documents_flagged" : "documents_dropped" }

  private func countName(_ rule: FilterRule) -> String {
    let name = rule.countName
    guard annotates, name.hasPrefix("dropped_") else { return name }
    return "flagged_" + name.dropFirst("dropped_".count)
  }

  /// Applies the rules to every document.
  ///
  /// Documents in the same order; `counts` receives what happened to them.
  package func filter(_ batch: DocumentBatch, counts: inout Summary) throws -> Result {
    var judge = DocumentJudge(self)
    var verdicts: [Verdict] = []
    verdicts.reserveCapacity(batch.count)
    try batch.forEachDocument { index, text in
      let address = urlBlocklist == nil ? nil : try batch.string(urlField, at: index)
      if urlBlocklist != nil && address == nil { counts.add("documents_without_url") }
      verdicts.append(judge.judge(text, address: address))
    }
    var dropped = [Int](repeating: 0, count: selection.rules.count)
    var removed = [Int](repeating: 0, count: LineRule.allCases.count)
    var changed = 0
    for verdict in verdicts {
      if let failed = verdict.failed { dropped[failed.rule] += 1 }
      // Lines of documents that are dropped anyway are not counted.
      guard annotates || verdict.failed == nil else { continue }
      if verdict.text != nil || annotates && !verdict.removed.isEmpty { changed += 1 }
      for (rule, count, _) in verdict.removed { removed[rule.rawValue] += count }
    }
    addSamples(of: batch, verdicts, to: &counts)
    for (index, active) in selection.rules.enumerated() {
      if case .line(let rule) = active.rule.subject {
        counts.add(countName(active.rule), removed[rule.rawValue])
      } else {
        counts.add(countName(active.rule), dropped[index])
      }
    }
    let droppedCount = dropped.reduce(0, +)
    counts.add(droppedName, droppedCount)
    if selection.lineSettings?.changesText == true { counts.add("documents_changed", changed) }
    var result = Result(documents: batch)
    if annotates {
      for (index, verdict) in verdicts.enumerated() {
        try annotate(&result.documents, verdict, at: index)
      }
    } else if droppedCount > 0 || changed > 0 {
      if keepsRejected && droppedCount > 0 {
        var rejected = batch
        for (index, verdict) in verdicts.enumerated() where verdict.failed != nil {
          try annotate(&rejected, verdict, at: index)
        }
        rejected.keep { verdicts[$0].failed != nil }
        result.rejected = rejected
      }
      for (index, verdict) in verdicts.enumerated() where verdict.failed == nil {
        if let text = verdict.text { result.documents.replaceText(at: index, by: text) }
      }
      result.documents.keep { verdicts[$0].failed == nil }
    }
    counts.add("documents_out", result.documents.count)
    return result
  }

  /// What a few of the documents and lines look like that each rule has taken out.
  private func addSamples(of batch: DocumentBatch, _ verdicts: [Verdict], to counts: inout Summary) {
    // Once, not for each of many short documents.
    let names = selection.rules.map { countName($0.rule) }
    batch.forEachDocument { index, text in
      let verdict = verdicts[index]
      if let failed = verdict.failed {
        let active = selection.rules[failed.rule]
        guard active.rule.name != "empty" else { return }
        counts.addSample(of: names[failed.rule], text, note: active.verdict(on: failed.value))
      }
      guard annotates || verdict.failed == nil else { return }
      for (rule, _, first) in verdict.removed {
        guard let first, let active = selection.rules.firstIndex(where: { $0.rule.isAbout(rule) }) else {
          continue
        }
        counts.addSample(of: names[active], UnsafeRawBufferPointer(rebasing: text[first]))
      }
    }
  }

  private func annotate(_ batch: inout DocumentBatch, _ verdict: Verdict, at index: Int) throws {
    if try batch.hasField(annotationField, at: index) {
      throw Failure(
        .usage, "the document already has a field \"\(annotationField)\"", file: batch.source.path,
        line: batch.lines[index], remedy: "Choose another with --annotation-field")
    }
    batch.addField(annotationField, json: json(verdict), at: index)
  }

  private func json(_ verdict: Verdict) -> String {
    var fields = ["\"kept\":\(verdict.failed == nil)"]
    if let failed = verdict.failed {
      let active = selection.rules[failed.rule]
      fields.append("\"rule\":\(JSONText.quote(active.rule.name))")
      fields.append("\"value\":\(Self.json(failed.value))")
      if let threshold = active.threshold { fields.append("\"threshold\":\(Self.json(threshold))") }
    }
    if let guess = verdict.language, let language {
      fields.append("\"language\":\(JSONText.quote(language.identifier.languages[guess.language]))")
      fields.append("\"language_score\":\(Self.json(guess.score))")
    }
    if annotates {
      let values = verdict.values.map { rule, value in
        "\(JSONText.quote(selection.rules[rule].rule.name)):\(Self.json(value))"
      }
      fields.append("\"values\":{\(values.joined(separator: ","))}")
      if !verdict.removed.isEmpty {
        let lines = selection.rules.compactMap { active -> String? in
          guard case .line(let rule) = active.rule.subject,
            let count = verdict.removed.first(where: { $0.rule == rule })?.count
          else { return nil }
          return "\(JSONText.quote(active.rule.name)):\(count)"
        }
        fields.append("\"lines_removed\":{\(lines.joined(separator: ","))}")
      }
    }
    return "{\(fields.joined(separator: ","))}"
  }

  /// Six decimals at most.
  static func json(_ value: Double) -> String {
    let rounded = (value * 1e6).rounded() / 1e6
    return rounded == rounded.rounded() && abs(rounded) < 1e15 ? String(Int(rounded)) : String(rounded)
  }
}

/// What the rules say of one document.
struct Verdict {
  /// The first rule that it fails, by its number among the rules of the run.
  var failed: (rule: Int, value: Double)?
  /// The value of every rule, where all are asked.
  var values: [(rule: Int, value: Double)] = []
  var language: LanguageIdentifier.Guess?
  /// Lines taken out, and citations cut; the first of the lines, as a range of the text.
  var removed: [(rule: LineRule, count: Int, first: Range<Int>?)] = []
  /// The text that stays, where it is another one.
  var text: [UInt8]?
}

/// Asks the rules about one document after the other, with tables that serve all of them.
struct DocumentJudge {
  private let filter: DocumentFilter
  private let rules: [ActiveRule]
  private let measures: DocumentMeasures
  private var lineFilter: LineFilter?
  private let changesText: Bool
  /// Rules from here on see the text that the line rules have left, those from `textRules` on not the lines themselves.
  private let lineRules: Int
  private let textRules: Int
  private let emptyRule: Int?

  init(_ filter: DocumentFilter) {
    self.filter = filter
    rules = filter.selection.rules
    measures = DocumentMeasures(wantsNGrams: filter.selection.wantsNGrams)
    if let (settings, changesText) = filter.selection.lineSettings {
      var settings = settings
      if filter.annotates { settings.enoughSentences = nil }
      lineFilter = LineFilter(settings)
      self.changesText = changesText
    } else {
      changesText = false
    }
    lineRules = rules.firstIndex { ["c4", "fineweb"].contains($0.rule.group) } ?? rules.count
    textRules = rules.firstIndex { $0.rule.group == "fineweb" } ?? rules.count
    emptyRule = rules.firstIndex { $0.rule.name == "empty" }
  }

  mutating func judge(_ text: UnsafeRawBufferPointer, address: [UInt8]?) -> Verdict {
    var verdict = Verdict()
    measures.begin(text)
    ask(0..<lineRules, text, address, &verdict)
    guard goesOn(verdict), lineFilter != nil else {
      if goesOn(verdict) { ask(lineRules..<rules.count, text, address, &verdict) }
      return verdict
    }
    lineFilter!.filter(text)
    for rule in LineRule.allCases where lineFilter!.removed[rule.rawValue] > 0 {
      verdict.removed.append(
        (rule, lineFilter!.removed[rule.rawValue], first: lineFilter!.firstRemoved[rule.rawValue]))
    }
    ask(lineRules..<textRules, text, address, &verdict)
    guard changesText else {
      if goesOn(verdict) { ask(textRules..<rules.count, text, address, &verdict) }
      return verdict
    }
    let isEmpty = lineFilter!.kept.isEmpty
    if isEmpty, let emptyRule, verdict.failed == nil { verdict.failed = (emptyRule, 1) }
    guard goesOn(verdict) else { return verdict }
    lineFilter!.kept.withUnsafeBytes { kept in
      measures.begin(kept)
      ask(textRules..<rules.count, kept, address, &verdict)
    }
    if !filter.annotates && verdict.failed == nil && !lineFilter!.kept.elementsEqual(text) {
      verdict.text = lineFilter!.kept
    }
    return verdict
  }

  private func goesOn(_ verdict: Verdict) -> Bool { verdict.failed == nil || filter.annotates }

  /// Asks some of the rules, up to the first that the document fails unless all values are wanted.
  private func ask(
    _ range: Range<Int>, _ text: UnsafeRawBufferPointer, _ address: [UInt8]?, _ verdict: inout Verdict
  ) {
    var answer: LanguageRule.Answer?
    for index in range {
      let active = rules[index]
      guard case .document(let measure) = active.rule.subject else { continue }
      let value: Double
      switch measure {
      case .blockedURL:
        value = address.map { filter.urlBlocklist?.blocks($0) == true ? 1 : 0 } ?? 0
      case .blockedPhrases:
        value = Double(filter.blocklist?.count(in: text, countsAll: filter.annotates) ?? 0)
      case .languageScore:
        if answer == nil {
          answer = filter.language?.answer(text) ?? LanguageRule.Answer()
          verdict.language = answer!.best
        }
        value = active.rule.name == "language" ? answer!.kept : answer!.dropped
      case .loremIpsum: value = Double(lineFilter?.loremIpsum ?? 0)
      case .curlyBrackets: value = Double(lineFilter?.curlyBrackets ?? 0)
      case .sentences: value = Double(lineFilter?.sentences ?? 0)
      default: value = measures.value(measure)
      }
      if filter.annotates { verdict.values.append((index, value)) }
      let isKept =
        measure == .languageScore && active.rule.name == "drop-language"
        ? value < active.threshold! : active.keeps(value)
      if isKept { continue }
      if verdict.failed == nil { verdict.failed = (index, value) }
      if !filter.annotates { return }
    }
  }
}
