import CFastText
import Foundation
import Support

/// Identifies the language of a text with a fastText model such as `lid.176.ftz` (Joulin et al., 2016, arXiv
/// 1612.03651).
///
/// To the model the text is one line: line feeds count as spaces.
package final class LanguageIdentifier: @unchecked Sendable {
  // The model is immutable, so several threads can use it at once.
  private let model: OpaquePointer
  /// The labels, without the prefix `__label__`.
  package let languages: [String]

  package static let remedy = """
    Download a model from fastText's page "Language identification" \
    (https://fasttext.cc/docs/en/language-identification.html): lid.176.ftz (917 kB) or lid.176.bin (126 MB)
    """

  package init(reading path: String) throws {
    try FastTextModel.check(path)
    var message = [CChar](repeating: 0, count: 256)
    guard let model = pkm_fasttext_load(path, &message, message.count) else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw Failure(.usage, "the language model \(reason)", file: path, remedy: Self.remedy)
    }
    self.model = model
    let prefix = "__label__"
    languages = (0..<pkm_fasttext_label_count(model)).map {
      let label = String(cString: pkm_fasttext_label(model, $0))
      return label.hasPrefix(prefix) ? String(label.dropFirst(prefix.count)) : label
    }
  }

  deinit { pkm_fasttext_destroy(model) }

  /// A language by its index in ``languages``, and its score from 0 to 1.
  struct Guess: Equatable {
    var language: Int
    var score: Double
  }

  /// The `count` best guesses, best first; none for a text in which the model knows no word.
  func guesses(_ text: UnsafeRawBufferPointer, count: Int = 1) -> [Guess] {
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return [] }
    return withUnsafeTemporaryAllocation(of: pkm_fasttext_prediction.self, capacity: count) { best in
      let found = pkm_fasttext_predict(model, base, text.count, best.baseAddress!, count)
      return best[..<found].map { Guess(language: Int($0.label), score: Double($0.score)) }
    }
  }
}
