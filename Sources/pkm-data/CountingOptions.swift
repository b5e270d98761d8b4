import ArgumentParser
import Commands
import Foundation
import Support
import Tokenization

/// How words are counted: what `learn-bpe` and `count-words` share.
struct CountingOptions: ParsableArguments {
  enum Splitter: String, ExpressibleByArgument, CaseIterable { case gpt2, cl100k, o200k, whitespace, none }
  enum Mode: String, ExpressibleByArgument, CaseIterable {
    case byteLevel = "byte-level"
    case word
  }

  @Option(help: "What words are, pre-tokens or words between spaces: \(Mode.list) (default: byte-level).")
  var mode: Mode?

  @Option(help: "What merges stay inside of, byte-level: \(Splitter.list) (default: gpt2).")
  var preTokenizer: Splitter?

  @Option(
    help: ArgumentHelp(
      "Memory for counting; what is more goes to temporary files (default: a quarter of the machine's).",
      valueName: "size"))
  var memory: ByteSize?

  @Option(
    help: ArgumentHelp("Where temporary files go (default: $TMPDIR or /tmp).", valueName: "directory"))
  var temporaryDirectory: String?

  func validate() throws {
    if mode == .word && preTokenizer != nil {
      throw ValidationError("--mode word has a pre-tokenizer of its own; leave --pre-tokenizer out")
    }
  }

  /// The pre-tokenizer that the options name; nil where they do not.
  var givenPreTokenizer: PreTokenizer? {
    mode == .word ? .words : preTokenizer.map { PreTokenizer(rawValue: $0.rawValue)! }
  }

  /// The pre-tokenizer that the options name or, where they do not, what files of counts say of theirs.
  ///
  /// What a pipe says is only seen when it is read: it can be read once.
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
    return givenPreTokenizer ?? found?.0 ?? (mode == .word ? .words : .gpt2)
  }

  func counter(_ preTokenizer: PreTokenizer, _ options: RunOptions) -> PreTokenCounter {
    PreTokenCounter(
      preTokenizer, memory: memory?.bytes ?? Int(ProcessInfo.processInfo.physicalMemory / 4),
      threads: options.threadCount,
      temporaryDirectory: temporaryDirectory ?? TemporaryDirectory.common)
  }
}
