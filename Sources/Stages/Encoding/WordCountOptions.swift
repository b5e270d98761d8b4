import Foundation
import Support
import Tokenization

/// How words are counted: what `learn-bpe` and `count-words` share.
package struct WordCountOptions: Sendable {
  /// The pre-tokenizer that the user named.
  package var givenPreTokenizer: PreTokenizer?
  package var memory: Int
  package var temporaryDirectory: String
  package var settings: StageSettings

  /// A memory of nil is a quarter of what the process may use; a directory of nil is the system's for temporary files.
  package init(
    givenPreTokenizer: PreTokenizer?, memory: Int?, temporaryDirectory: String?, settings: StageSettings
  ) {
    self.givenPreTokenizer = givenPreTokenizer
    self.memory = MemoryLimit.share(given: memory)
    self.temporaryDirectory = temporaryDirectory ?? TemporaryDirectory.common
    self.settings = settings
  }

  /// The pre-tokenizer that the user named or, without one, the one that files of counts name.
  ///
  /// A pipe can be read once, so what it names is only known when its counts are read.
  func preTokenizer(of files: [String]) throws -> PreTokenizer {
    var found: (PreTokenizer, file: String)?
    for path in files where Path.isRegularFile(path) {
      let reader = try WordCountReader(path)
      _ = try reader.advance()
      guard let preTokenizer = reader.preTokenizer else { continue }
      if let given = givenPreTokenizer ?? found?.0, given != preTokenizer {
        throw Failure(
          .usage, "holds counts of the pre-tokenizer \(preTokenizer.rawValue), not \(given.rawValue)",
          file: path,
          remedy: "Count all parts alike")
      }
      found = (preTokenizer, path)
    }
    return givenPreTokenizer ?? found?.0 ?? .gpt2
  }

  /// A counter that may use all of the memory, or one of several that share it.
  func counter(_ preTokenizer: PreTokenizer, sharing counters: Int = 1) -> PreTokenCounter {
    PreTokenCounter(
      preTokenizer, memory: memory / counters, threads: settings.threads,
      temporaryDirectory: temporaryDirectory)
  }
}
