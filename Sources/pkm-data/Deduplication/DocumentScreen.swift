import Corpus
import Support

/// The decontamination of batches, before whatever else is done with them.
struct DocumentScreen: Sendable {
  private let decontaminator: Decontaminator
  private let isMarking: Bool
  /// Counts of the evaluation sets.
  let counts: Summary
  /// A hash of all that decides what is found.
  let identity: String

  /// A field that marked documents get.
  private static let field = "contamination"

  /// `ngram`: words in a run; nil is 13.
  init(_ flags: EvaluationFlags, ngram: Int?, input: InputOptions) throws {
    var texts = EvaluationSet(ngram: ngram ?? 13)
    try texts.add(files: flags.against, options: input.readerOptions(), textField: flags.againstField)
    for warning in texts.warnings.prefix(20) { Log.warn(warning) }
    if texts.textCount == 0 {
      Log.warn("no evaluation text has \(texts.ngram) words or more: nothing will be found")
    }
    decontaminator = Decontaminator(texts)
    isMarking = flags.mark
    var counts = Summary()
    counts.add(flags.mark ? "documents_marked" : "documents_contaminated", 0)
    counts.add("evaluation_texts", texts.textCount)
    counts.add("evaluation_texts_too_short", texts.shortTextCount)
    counts.add("evaluation_ngrams", decontaminator.ngramCount)
    for (name, value) in texts.counts.entries {
      if case .count(let count) = value { counts.add("evaluation_" + name, count) }
    }
    self.counts = counts
    identity = "against \(texts.digest) \(flags.mark)"
  }

  /// What a ``DocumentPass`` takes.
  var body: @Sendable (inout DocumentBatch, inout Summary) throws -> [DocumentPass.Found] {
    { batch, counts in try apply(to: &batch, counts: &counts) }
  }

  /// Drops or marks documents, counts them, and returns the line of the report for each, with its place.
  ///
  /// What is dropped is counted as read.
  private func apply(to batch: inout DocumentBatch, counts: inout Summary) throws
    -> [DocumentPass.Found]
  {
    var worker = Decontaminator.Worker(decontaminator)
    var found: [DocumentPass.Found] = []
    var isKept = [Bool](repeating: true, count: batch.count)
    var marks: [(index: Int, fields: String)] = []
    batch.forEachDocument { index, text in
      guard let overlap = worker.overlap(of: text) else { return }
      let fields = fields(of: overlap)
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
      counts.addSample(
        of: isMarking ? "documents_marked" : "documents_contaminated", text,
        note: decontaminator.ngram(of: overlap))
      found.append(DocumentPass.Found(location: location, reason: "\"contaminated\",\(fields)"))
      if isMarking {
        marks.append((index, fields))
      } else {
        isKept[index] = false
        counts.add("words_in", Words.count(in: text))
        counts.add("text_bytes_in", text.count)
      }
    }
    guard !found.isEmpty else { return [] }
    counts.add(isMarking ? "documents_marked" : "documents_contaminated", found.count)
    for (index, fields) in marks {
      // One from an earlier run stays.
      if try batch.hasField(Self.field, at: index) {
        counts.add("fields_kept")
      } else {
        batch.addField(Self.field, json: "{\(fields)}", at: index)
      }
    }
    if !isMarking { batch.keep { isKept[$0] } }
    return found
  }

  /// Where the first shared words stand, what they are, and how many runs of words are shared.
  private func fields(of overlap: Decontaminator.Overlap) -> String {
    let place = decontaminator.place(of: overlap)
    return """
      "evaluation":{"file":\(JSONText.quote(place.file)),"line":\(place.line)},\
      "ngram":\(JSONText.quote(decontaminator.ngram(of: overlap))),\
      "shared_ngrams":\(overlap.sharedNgrams),"ngrams":\(overlap.ngrams)
      """
  }
}
