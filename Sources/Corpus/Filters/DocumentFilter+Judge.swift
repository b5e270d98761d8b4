extension DocumentFilter {
  /// Evaluates the rules for one document after another, reusing its tables.
  struct Judge {
    private let filter: DocumentFilter
    private let rules: [ActiveRule]
    private let measures: DocumentMeasures
    private var lineFilter: LineFilter?
    private let changesText: Bool
    /// Rules from this index on see the result of the line rules.
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

    /// Evaluates some of the rules, stopping at the first one that the document fails unless all values are
    /// wanted.
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
}
