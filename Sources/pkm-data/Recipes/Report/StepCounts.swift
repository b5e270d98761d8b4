import Corpus
import Support

/// What a step has counted, as its summary says.
struct StepCounts {
  let step: PlannedStep
  private let summary: JSONValue

  init(_ step: PlannedStep, _ record: WorkDirectory.Record) {
    self.step = step
    summary = (try? JSONValue(parsing: Array(record.summary.utf8))) ?? .null
  }

  func count(_ name: String) -> Int? { summary[name]?.number.map { Int($0) } }
  func number(_ name: String) -> Double? { summary[name]?.number }
  var wordsRead: Int? { count("words_in") ?? count("words") }
  var seconds: Double { number("seconds") ?? 0 }

  func samples(of name: String) -> [(text: String, note: String)] {
    (summary["samples"]?[name]?.array ?? []).map { ($0["text"]?.string ?? "", $0["note"]?.string ?? "") }
  }

  /// All counts by name, in the order of the summary.
  private var counts: [(name: String, count: Int)] {
    guard case .object(let members) = summary else { return [] }
    return members.compactMap { member in
      member.value.number.map { (String(decoding: member.key, as: UTF8.self), Int($0)) }
    }
  }

  /// Something that was taken out: documents, or parts of them.
  struct Removal {
    /// The name of its count.
    let count: String
    let name: String
    let meaning: String
    let removed: Int
    let isWholeDocuments: Bool
  }

  private static let meanings: [(count: String, name: String, meaning: String, isWholeDocuments: Bool)] = [
    ("duplicates_removed", "duplicates", "the same as, or near to, a document that stays", true),
    ("documents_empty", "empty", "nothing but white space", true),
    ("documents_contaminated", "contaminated", "shares words with an evaluation set", true),
    ("documents_too_short", "too short", "too little was left of it", true),
    ("documents_emptied", "emptied", "all of it was repeated elsewhere", true),
    ("documents_invalid", "invalid text", "bytes that are no text of the character set", true),
    ("units_removed", "repeated lines", "lines, or paragraphs, that occurred before", false),
    ("spans_removed", "repeated spans", "runs of text that occurred before", false),
    ("citations_removed", "citations", "marks such as [1] or [citation needed]", false),
  ]

  var removals: [Removal] {
    counts.compactMap { name, count in
      guard count > 0 else { return nil }
      if let known = Self.meanings.first(where: { $0.count == name }) {
        return Removal(
          count: name, name: known.name, meaning: known.meaning, removed: count,
          isWholeDocuments: known.isWholeDocuments)
      }
      guard let rule = FilterRule.all.first(where: { $0.countName == name }) else { return nil }
      return Removal(
        count: name, name: rule.name, meaning: rule.meaning, removed: count,
        isWholeDocuments: !rule.isLineRule)
    }
  }

  /// Counts that say how much, not what was wrong.
  private static let measures: Set<String> = [
    "bytes_in", "bytes_out", "documents_in", "documents_out", "words_in", "words_out", "text_bytes_in",
    "text_bytes_out", "text_bytes", "words", "tokens", "shards", "seconds", "documents_dropped",
    "documents_changed", "clusters", "largest_cluster", "units_in", "span_bytes_removed", "pre_tokens",
    "distinct_pre_tokens", "merges", "vocabulary", "seconds_counting", "seconds_merging", "bytes_a_token",
    "tokens_a_word", "evaluation_texts", "evaluation_ngrams", "bands", "rows",
  ]

  /// What was repaired, skipped or found strange, by name.
  var remarks: [(name: String, count: Int)] {
    let removed = Set(removals.map(\.count))
    return counts.filter { name, count in
      count > 0 && !Self.measures.contains(name) && !removed.contains(name)
        && !name.hasPrefix("clusters_of_") && !name.hasSuffix("_documents") && !name.hasSuffix("_tokens")
        || name == "unknown_tokens" && count > 0
    }
  }

  /// Clusters of duplicates by their size, as in "4 to 7".
  var clusters: [(size: String, count: Int)] {
    counts.compactMap { name, count in
      guard name.hasPrefix("clusters_of_") else { return nil }
      return (name.dropFirst("clusters_of_".count).split(separator: "_").joined(separator: " "), count)
    }
  }
}
