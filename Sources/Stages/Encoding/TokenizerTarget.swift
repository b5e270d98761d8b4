import Support
import Tokenization

/// Where a learned tokenizer goes, and in which format, which the name of the file decides.
package struct TokenizerTarget: Sendable {
  package enum Format: Sendable { case json, codes, tiktoken, gpt2 }

  /// nil and `-` are standard output.
  package var path: String?
  package var codesFormat: MergeCodes.Format

  package init(_ path: String?, codesFormat: MergeCodes.Format) {
    (self.path, self.codesFormat) = (path, codesFormat)
  }

  /// The file that is written beside one named merges.txt.
  package static func vocabulary(beside path: String?) -> [OwnFiles.Entry] {
    guard let path, path.hasSuffix("merges.txt") else { return [] }
    let prefix = String(path.dropLast("merges.txt".count))
    return .output(prefix + "vocab.json", "the vocabulary beside --output")
      + .output(prefix + "tokenizer_config.json", "the pattern beside --output")
  }

  package func format(isWord: Bool) -> Format {
    guard let path, path != "-" else { return isWord ? .codes : .json }
    if path.hasSuffix("merges.txt") { return .gpt2 }
    if path.hasSuffix(".tiktoken") { return .tiktoken }
    return path.hasSuffix(".json") || path.hasSuffix(".json.gz") || path.hasSuffix(".json.zst")
      ? .json : .codes
  }

  /// Writes the tokenizer, whose last merges are `learned`, and returns the bytes written.
  func write(_ tokenizer: Tokenizer, _ learned: LearnedMerges) throws -> Int {
    switch format(isWord: tokenizer.mode == .word) {
    case .json: return try write(TokenizerJSON.write(tokenizer), to: path)
    case .tiktoken:
      if let warning = TiktokenFile.warning(ofFileNamed: path!, tokenizer.preTokenizer) {
        Log.warn(warning)
      }
      return try write(TiktokenFile.write(tokenizer), to: path)
    case .codes:
      return try write(
        MergeCodes.write(tokenizer.merges(lastLearned: learned), format: codesFormat), to: path)
    case .gpt2:
      return try TokenizerFile.write(tokenizer, to: path).reduce(0) { try $0 + write($1.bytes, to: $1.path) }
    }
  }

  private func write(_ bytes: [UInt8], to path: String?) throws -> Int {
    let file = try OutputFile(path)
    try file.write(bytes)
    try file.finish()
    return bytes.count
  }
}
