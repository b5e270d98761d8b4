import Corpus
import Support

/// Drops or marks the documents of a batch that share words with evaluation sets.
package struct DecontaminationFilter: Sendable {
  /// A document that shares words with an evaluation text.
  package struct Match: Sendable {
    let location: DocumentLocation
    let overlap: Overlap
  }

  /// The words that a document shares with an evaluation text.
  struct Overlap: Sendable {
    /// The location of the evaluation text.
    let file: String
    let line: Int
    /// The first shared words.
    let ngram: String
    let sharedNgrams: Int
    /// The number of n-grams of the document.
    let ngrams: Int

    /// Writes members of a JSON object.
    func write(to json: inout JSONWriter) {
      json.key("evaluation")
      json.object {
        $0.member("file", file)
        $0.member("line", line)
      }
      json.member("ngram", ngram)
      json.member("shared_ngrams", sharedNgrams)
      json.member("ngrams", ngrams)
    }
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
    var texts = EvaluationSet(ngram: options.ngram, keep: options.keep)
    try texts.add(files: options.files, options: reading, textField: options.textField)
    for warning in texts.warnings.prefix(20) { Log.warn(warning) }
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
    var marks: [(index: Int, overlap: Overlap)] = []
    batch.forEachDocument { index, text in
      guard let match = worker.match(in: text) else { return }
      let overlap = overlap(of: match)
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
      counts.addSample(
        of: isMarking ? .documentsMarked : .documentsContaminated, text,
        note: overlap.ngram)
      matches.append(Match(location: location, overlap: overlap))
      if isMarking {
        marks.append((index, overlap))
      } else {
        isKept[index] = false
        counts.add(.wordsIn, Words.count(in: text))
        counts.add(.textBytesIn, text.count)
      }
    }
    guard !matches.isEmpty else { return [] }
    counts.add(isMarking ? .documentsMarked : .documentsContaminated, matches.count)
    for (index, overlap) in marks {
      // A mark from an earlier run stays.
      if try batch.hasField(Self.field, at: index) {
        counts.add(.fieldsKept)
      } else {
        var json = JSONWriter()
        json.object { overlap.write(to: &$0) }
        batch.addField(Self.field, json: json.text, at: index)
      }
    }
    if !isMarking { batch.keep { isKept[$0] } }
    return matches
  }

  private func overlap(of match: Decontaminator.Match) -> Overlap {
    let location = decontaminator.location(of: match)
    return Overlap(
      file: location.file, line: location.line, ngram: decontaminator.ngram(of: match),
      sharedNgrams: match.sharedNgrams, ngrams: match.ngrams)
  }
}
