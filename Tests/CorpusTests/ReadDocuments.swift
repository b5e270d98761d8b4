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

  static func == (a: ReadDocuments, b: ReadDocuments) -> Bool {
    a.texts == b.texts && a.lines == b.lines && a.counts.json == b.counts.json
  }
}
