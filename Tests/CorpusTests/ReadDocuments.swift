import Corpus
import Foundation
import Support
import TestSupport

let fixtures = Fixtures(of: .module)

/// All documents of a reader, as text.
struct ReadDocuments: Equatable {
  var texts: [String] = []
  var lines: [Int] = []
  var counts = Summary()

  init(_ inputs: [String], _ options: ReaderOptions = ReaderOptions()) throws {
    let reader = try DocumentReader(inputs: inputs, options: options)
    while let batch = try reader.next() {
      batch.forEachDocument { _, text in texts.append(String(decoding: text, as: UTF8.self)) }
      lines += batch.lines
      counts.merge(batch.counts)
    }
  }

  /// The lines of JSON that are counted as holding no document.
  var skippedJSONLines: Int {
    [CountName.jsonLinesBroken, .jsonTextsMissing, .blankLinesSkipped, .jsonCommentsSkipped].reduce(0) {
      $0 + counts.count($1)
    }
  }

  /// Whether each line is a document, counted as none under one name, or counted with the values that it was split into.
  func accountsForJSONLines(_ lines: Int) -> Bool {
    texts.count + skippedJSONLines
      == lines - counts.count(.jsonLinesSplit) + counts.count(.jsonValuesSplit)
  }

  static func == (a: ReadDocuments, b: ReadDocuments) -> Bool {
    a.texts == b.texts && a.lines == b.lines && a.counts.json == b.counts.json
  }
}
