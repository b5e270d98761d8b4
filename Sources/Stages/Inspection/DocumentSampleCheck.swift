import Shards
import Support
import Tokenization

/// Compares a sample of the documents of a dataset with the bytes and words that their rows claim.
package struct DocumentSampleCheck {
  private let dataset: Dataset

  /// About how many documents are decoded, evenly spread.
  private static let sampleSize = 10_000

  package init(_ dataset: Dataset) { self.dataset = dataset }

  /// Decodes the documents, counts them as `documents_decoded`, and lists those that differ from their rows.
  package func problems(_ summary: inout Summary) throws -> [String] {
    let tokenizer = try TokenizerJSON.read(dataset.tokenizerJSON(), file: dataset.tokenizerPath)
    let step = max(1, dataset.index.splits.values.reduce(0) { $0 + $1.documents } / Self.sampleSize)
    var problems: [String] = []
    var number = 0
    summary.add(.documentsDecoded, 0)
    for split in dataset.splits {
      let first = number
      try EncodedDocumentReader(dataset, split: split).forEachDocument { tokens, row in
        defer { number += 1 }
        guard number % step == 0 else { return }
        try Interruption.check()
        let text = try tokenizer.decode(tokens, keepsSpecialTokens: true)
        // A row counts the text before it was normalized.
        if tokenizer.preparesText || tokenizer.mode == .character { return }
        let words = text.withUnsafeBytes { Words.count(in: $0) }
        summary.add(.documentsDecoded)
        // Word mode does not keep the white space between words.
        guard tokenizer.mode == .byteLevel && text.count != row.textBytes || words != row.words else {
          return
        }
        problems.append(
          "\(dataset.path): document \(number - first + 1) of \(split) decodes to \(text.count) bytes and "
            + "\(words) words, its row says \(row.textBytes) and \(row.words)")
      }
    }
    return problems
  }
}
