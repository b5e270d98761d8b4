import Corpus
import Support
import Tokenization

extension PreTokenCounter {
  /// Counts the words of documents, and of files that are one text each.
  func count(_ input: CorpusInput, _ settings: StageSettings) throws -> Summary {
    try Self.count(input, settings, with: [self])
  }

  /// The same with several counters, which split the text in different ways.
  static func count(_ input: CorpusInput, _ settings: StageSettings, with counters: [PreTokenCounter]) throws
    -> Summary
  {
    var currentSource: Int?
    var texts = 0
    let pass = DocumentPass(reader: try input.reader(), settings: settings, label: "count")
    var summary = try pass.run(
      work: { batch, _ in
        try batch.bytes.withUnsafeBufferPointer { bytes in
          let isStream = batch.source.format == .text && batch.source.splitting == .stream
          let texts = batch.ranges.map { UnsafeBufferPointer(rebasing: bytes[$0]) }
          if isStream {
            return (batch.source.index, 0, try counters.map { try texts.map($0.countInside) })
          }
          for counter in counters { for text in texts { try counter.countText(text) } }
          return (batch.source.index, texts.count, [])
        }
      },
      consume: { (source: Int, documents: Int, ends: [[PreTokenCounter.Ends]]) in
        texts += documents
        if ends.isEmpty { return }
        if source != currentSource {
          for counter in counters { try counter.endText() }
          currentSource = source
          texts += 1
        }
        for (counter, ends) in zip(counters, ends) { for end in ends { try counter.join(end) } }
      })
    for counter in counters { try counter.endText() }
    summary[.documentsIn] = .count(texts)
    try pass.check(documents: texts, summary)
    return summary
  }

  /// Adds the words of files of counts.
  func add(countsOf files: [String], _ preTokenizer: PreTokenizer, _ settings: StageSettings) throws {
    let progress = Progress("counts", unit: " words", isQuiet: settings.isQuiet)
    defer { progress.finish() }
    var words = WordCounts()
    var read = 0
    var total = 0
    for path in files {
      let reader = try WordCountReader(path)
      while try reader.advance() {
        if reader.word.isEmpty
          || preTokenizer == .words && reader.word.contains(where: { $0 == 0x20 || $0 == 0x0a })
        {
          throw Failure(
            .badInput, "\"\(String(decoding: reader.word, as: UTF8.self))\" is not a word", file: path,
            remedy: preTokenizer == .words
              ? "Words hold no spaces; count with --mode word" : "Words have at least a byte")
        }
        let (sum, overflow) = total.addingReportingOverflow(reader.count)
        if overflow { throw Failure(.badInput, "the counts add up to more than \(Int.max)", file: path) }
        total = sum
        words.append(reader.word, count: reader.count)
        if words.distinct == 1 << 14 {
          try Interruption.check()
          try count(words)
          words = WordCounts()
        }
        read += 1
        if read & 0xffff == 0 { progress.update(done: read) }
      }
      if let found = reader.preTokenizer, found != preTokenizer {
        throw Failure(
          .usage, "holds counts of the pre-tokenizer \(found.rawValue), not \(preTokenizer.rawValue)",
          file: path,
          remedy: "Name it with --pre-tokenizer")
      }
    }
    try count(words)
  }
}
