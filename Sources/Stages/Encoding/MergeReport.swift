import Support
import Tokenization

/// Shows merges as they are chosen: each with `--verbose`, otherwise how many there are.
final class MergeReport {
  private let limit: Int
  private let isVerbose: Bool
  private let progress: Progress
  /// The texts of the symbols, if they are shown.
  private var texts: [[UInt8]]

  /// `alphabet` are the symbols before the first merge.
  init(_ options: LearnOptions, alphabet: [[UInt8]], limit: Int) {
    self.limit = limit
    isVerbose = options.isVerbose
    progress = Progress("merge", unit: " merges", isQuiet: options.counting.settings.isQuiet || isVerbose)
    texts = isVerbose ? alphabet : []
  }

  /// `number` counts from 1.
  func show(_ merge: LearnedMerges.Merge, _ number: Int, _ pairs: Int) throws {
    if isVerbose {
      let (left, right) = (texts[Int(merge.left)], texts[Int(merge.right)])
      texts.append(left + right)
      let shown = [left, right, left + right].map { text in
        JSONText.quote(String(decoding: text, as: UTF8.self))
      }
      Log.line(
        "merge \(number): \(shown[0]) \(shown[1]) -> \(shown[2]), count \(merge.count), \(pairs) pairs left")
    }
    if number & 63 == 0 {
      try Interruption.check()
      progress.update(done: number, of: limit, note: "\(pairs) pairs left")
    }
  }

  func finish() { progress.finish() }
}
