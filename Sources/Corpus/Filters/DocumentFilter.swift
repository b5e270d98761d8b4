import Support

/// The configuration of a filter, and its application to batches of documents.
package struct DocumentFilter: Sendable {
  package var selection: FilterSelection
  package var language: LanguageRule?
  package var blocklist: Blocklist?
  package var urlBlocklist: URLBlocklist?
  /// The field of a document that contains its URL.
  package var urlField = "url"
  /// Whether to write the decision and all measured values into a field of the document instead of dropping
  /// or changing it.
  package var annotates = false
  package var annotationField = "filter"
  /// Whether dropped documents are returned.
  package var keepsRejected = false

  package init(_ selection: FilterSelection) { self.selection = selection }

  package struct Result: Sendable {
    package var documents: DocumentBatch
    /// The documents that were dropped, with the rule in an added field.
    package var rejected: DocumentBatch?
  }

  /// All counts that a run may report, at 0.
  package var emptyCounts: Summary {
    var counts = Summary()
    for name in [.documentsOut, droppedName] { counts.add(name, 0) }
    if selection.lineSettings?.changesText == true { counts.add(.documentsChanged, 0) }
    for active in selection.rules { counts.add(countName(active.rule), 0) }
    return counts
  }

  private var droppedName: CountName { annotates ? .documentsFlagged : .documentsDropped }

  private func countName(_ rule: FilterRule) -> CountName {
    let name = rule.countName
    guard annotates, name.rawValue.hasPrefix("dropped_") else { return name }
    return CountName("flagged_" + name.rawValue.dropFirst("dropped_".count))
  }

  /// Applies the rules to every document of a batch. The order is kept; results are added to `counts`.
  package func filter(_ batch: DocumentBatch, counts: inout Summary) throws -> Result {
    var judge = Judge(self)
    var verdicts: [Verdict] = []
    verdicts.reserveCapacity(batch.count)
    try batch.forEachDocument { index, text in
      let address = urlBlocklist == nil ? nil : try batch.string(urlField, at: index)
      if urlBlocklist != nil && address == nil { counts.add(.documentsWithoutURL) }
      verdicts.append(judge.judge(text, address: address))
    }
    var dropped = [Int](repeating: 0, count: selection.rules.count)
    var removed = [Int](repeating: 0, count: LineRule.allCases.count)
    var changed = 0
    for verdict in verdicts {
      if let failed = verdict.failed { dropped[failed.rule] += 1 }
      // Lines of dropped documents are not counted.
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
    if selection.lineSettings?.changesText == true { counts.add(.documentsChanged, changed) }
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
    counts.add(.documentsOut, result.documents.count)
    return result
  }

  /// Adds samples of the documents and lines that each rule removed.
  private func addSamples(of batch: DocumentBatch, _ verdicts: [Verdict], to counts: inout Summary) {
    // Computed once, not for each of many short documents.
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
    var json = JSONWriter()
    json.object { json in
      json.member("kept", verdict.failed == nil)
      if let failed = verdict.failed {
        let active = selection.rules[failed.rule]
        json.member("rule", active.rule.name)
        json.member("value", json: ActiveRule.json(failed.value))
        if let threshold = active.threshold { json.member("threshold", json: ActiveRule.json(threshold)) }
      }
      if let guess = verdict.language, let language {
        json.member("language", language.identifier.languages[guess.language])
        json.member("language_score", json: ActiveRule.json(guess.score))
      }
      guard annotates else { return }
      json.key("values")
      json.object {
        for (rule, value) in verdict.values {
          $0.member(selection.rules[rule].rule.name, json: ActiveRule.json(value))
        }
      }
      if verdict.removed.isEmpty { return }
      json.key("lines_removed")
      json.object {
        for active in selection.rules {
          guard case .line(let rule) = active.rule.subject,
            let count = verdict.removed.first(where: { $0.rule == rule })?.count
          else { continue }
          $0.member(active.rule.name, count)
        }
      }
    }
    return json.text
  }
}
