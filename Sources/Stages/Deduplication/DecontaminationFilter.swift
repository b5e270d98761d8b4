import Corpus
import Support

/// Drops or marks the documents of a batch that share words with evaluation sets.
package struct DecontaminationFilter: Sendable {
  /// A document that shares words with an evaluation text.
  package struct Match: Sendable {
    let location: DocumentLocation
    /// Why it matches, for the report: a JSON string and further fields.
    let reason: String
  }

  private let decontaminator: Decontaminator
  private let isMarking: Bool
  /// Counts of the evaluation sets.
  let counts: Summary
  /// A hash of everything that decides which documents match.
  let identity: String

  /// The field that marked documents get.
  private static let field = "contamination"

  /// Reads the evaluation sets.
  static func load(_ options: DecontaminationOptions, reading: ReaderOptions) throws -> Self {
    var texts = EvaluationSet(ngram: options.ngram)
    try texts.add(files: options.files, options: reading, textField: options.textField)
    for warning in texts.warnings.prefix(20) { Log.warn(warning) }
    if texts.textCount == 0 {
      Log.warn("no evaluation text has \(texts.ngram) words or more: nothing will be found")
    }
    return DecontaminationFilter(texts, isMarking: options.isMarking)
  }

  private init(_ texts: EvaluationSet, isMarking: Bool) {
    decontaminator = Decontaminator(texts)
    self.isMarking = isMarking
    var counts = Summary()
    counts.add(isMarking ? .documentsMarked : .documentsContaminated, 0)
    counts.add(.evaluationTexts, texts.textCount)
    counts.add(.evaluationTextsTooShort, texts.shortTextCount)
    counts.add(.evaluationNgrams, decontaminator.ngramCount)
    for (name, value) in texts.counts.entries {
      if case .count(let count) = value { counts.add(.evaluation(name), count) }
    }
    self.counts = counts
    identity = "against \(texts.digest) \(isMarking)"
  }

  /// Drops or marks documents, counts them, and returns them with their locations.
  ///
  /// Dropped documents count as read.
  func apply(to batch: inout DocumentBatch, counts: inout Summary) throws -> [Match] {
    var worker = Decontaminator.Worker(decontaminator)
    var matches: [Match] = []
    var isKept = [Bool](repeating: true, count: batch.count)
    var marks: [(index: Int, fields: String)] = []
    batch.forEachDocument { index, text in
      guard let match = worker.match(in: text) else { return }
      let fields = fields(of: match)
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
      counts.addSample(
        of: isMarking ? .documentsMarked : .documentsContaminated, text,
        note: decontaminator.ngram(of: match))
      matches.append(Match(location: location, reason: "\"contaminated\",\(fields)"))
      if isMarking {
        marks.append((index, fields))
      } else {
        isKept[index] = false
        counts.add(.wordsIn, Words.count(in: text))
        counts.add(.textBytesIn, text.count)
      }
    }
    guard !matches.isEmpty else { return [] }
    counts.add(isMarking ? .documentsMarked : .documentsContaminated, matches.count)
    for (index, fields) in marks {
      // A mark from an earlier run stays.
      if try batch.hasField(Self.field, at: index) {
        counts.add(.fieldsKept)
      } else {
        batch.addField(Self.field, json: "{\(fields)}", at: index)
      }
    }
    if !isMarking { batch.keep { isKept[$0] } }
    return matches
  }

  /// The location of the first shared words, the words, and the number of shared runs of words.
  private func fields(of match: Decontaminator.Match) -> String {
    let place = decontaminator.location(of: match)
    return """
      "evaluation":{"file":\(JSONText.quote(place.file)),"line":\(place.line)},\
      "ngram":\(JSONText.quote(decontaminator.ngram(of: match))),\
      "shared_ngrams":\(match.sharedNgrams),"ngrams":\(match.ngrams)
      """
  }
}
