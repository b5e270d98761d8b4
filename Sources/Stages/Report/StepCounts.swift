import Corpus
import Support

/// The counts of a step, from the summary in its record.
struct StepCounts {
  let step: PlannedStep
  private let summary: JSONValue

  init(_ step: PlannedStep, _ record: WorkDirectory.Record) {
    self.step = step
    summary = (try? JSONValue(parsing: Array(record.summary.utf8))) ?? .null
  }

  func count(_ name: CountName) -> Int? { summary[name.rawValue]?.count }
  func number(_ name: CountName) -> Double? { summary[name.rawValue]?.number }
  var wordsRead: Int? { count(.wordsIn) ?? count(.words) }
  var seconds: Double { number(.seconds) ?? 0 }

  func samples(of name: CountName) -> [(text: String, note: String)] {
    (summary["samples"]?[name.rawValue]?.array ?? []).map {
      ($0["text"]?.string ?? "", $0["note"]?.string ?? "")
    }
  }

  /// All counts by name, in the order of the summary.
  private var counts: [(name: CountName, count: Int)] {
    guard case .object(let members) = summary else { return [] }
    return members.compactMap { member in
      member.value.count.map { (CountName(String(decoding: member.key, as: UTF8.self)), $0) }
    }
  }

  /// Something that was taken out: documents, or parts of them.
  struct Removal {
    /// The name of its count.
    let count: CountName
    let name: String
    let meaning: String
    let removed: Int
    let isWholeDocuments: Bool
  }

  private static let meanings: [(count: CountName, name: String, meaning: String, isWholeDocuments: Bool)] = [
    (.duplicatesRemoved, "duplicates", "the same as, or near to, a document that stays", true),
    (.documentsEmpty, "empty", "nothing but white space", true),
    (.documentsContaminated, "contaminated", "shares words with an evaluation set", true),
    (.documentsTooShort, "too short", "too little was left of it", true),
    (.documentsEmptied, "emptied", "all of it was repeated elsewhere", true),
    (.documentsInvalid, "invalid text", "bytes that are no text of the character set", true),
    (.unitsRemoved, "repeated lines", "lines, or paragraphs, that occurred before", false),
    (.spansRemoved, "repeated spans", "runs of text that occurred before", false),
    (.citationsRemoved, "citations", "marks such as [1] or [citation needed]", false),
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

  /// Counts that say how much there is, not what was wrong; of two names for one, the second is that of older records.
  private static let measures: Set<CountName> = [
    .bytesIn, .bytesOut, .documentsIn, .documentsOut, .wordsIn, .wordsOut, .textBytesIn,
    .textBytesOut, .textBytes, .words, .tokens, .shards, .seconds, .documentsDropped,
    .documentsChanged, .clusters, .largestCluster, .unitsIn, .spanBytesRemoved, .preTokens,
    .distinctPreTokens, .merges, .vocabulary, .secondsCounting, .secondsMerging, .bytesPerToken,
    .tokensPerWord, CountName("bytes_a_token"), CountName("tokens_a_word"), .evaluationTexts,
    .evaluationNgrams, .bands,
    .rows,
  ]

  /// What was repaired, skipped or found strange, by name.
  var remarks: [(name: CountName, count: Int)] {
    let removed = Set(removals.map(\.count))
    return counts.filter { name, count in
      count > 0 && !Self.measures.contains(name) && !removed.contains(name)
        && !name.isOfClusters && !name.isOfSplit
        || name == .unknownTokens && count > 0
    }
  }

  /// Clusters of duplicates by their size, as in "4 to 7".
  var clusters: [(size: String, count: Int)] {
    counts.compactMap { name, count in
      guard name.isOfClusters else { return nil }
      return (name.words.dropFirst(2).joined(separator: " "), count)
    }
  }
}
