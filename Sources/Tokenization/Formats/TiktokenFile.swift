import Foundation
import Support

/// `.tiktoken`: a line `base64(token) rank` for each token, including the 256 bytes.
///
/// The rank is the id and the order of merging. The file has neither the pattern nor special tokens: the name
/// of the file tells the pattern, and ``Tokenizer/endOfText`` has the first id after the last rank.
package enum TiktokenFile {
  private static let patterns: [(name: String, preTokenizer: PreTokenizer)] = [
    ("cl100k", .cl100k), ("o200k", .o200k), ("gpt2", .gpt2), ("r50k", .gpt2), ("p50k", .gpt2),
  ]

  /// The pattern that the name of a file tells, or nil.
  package static func preTokenizer(ofFileNamed path: String) -> PreTokenizer? {
    let name = Path.name(of: path).lowercased()
    return patterns.first { name.contains($0.name) }?.preTokenizer
  }

  /// The warning about a file whose name does not tell its pattern, or nil.
  package static func warning(ofFileNamed path: String, _ preTokenizer: PreTokenizer) -> String? {
    if Self.preTokenizer(ofFileNamed: path) == preTokenizer { return nil }
    let remedy =
      patterns.contains { $0.preTokenizer == preTokenizer }
      ? "only its name can: call it NAME.\(preTokenizer.rawValue).tiktoken to encode with it"
      : "and no name says \(preTokenizer.rawValue): write tokenizer.json to encode with it"
    return "\(path): a .tiktoken file does not hold its pattern, \(remedy)"
  }

  package static func read(_ bytes: [UInt8], file: String) throws -> Tokenizer {
    guard let preTokenizer = preTokenizer(ofFileNamed: file) else {
      throw Failure(
        .usage, "the pattern of a .tiktoken file is not in the file", file: file,
        remedy: "Let its name say which, as in NAME.gpt2.tiktoken: gpt2, cl100k or o200k")
    }
    var tokens: [[UInt8]] = []
    for (index, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      let line = line.last == 0x0d ? line.dropLast() : line
      if line.isEmpty { continue }
      let parts = line.split(separator: 0x20)
      guard parts.count == 2, let token = Data(base64Encoded: Data(parts[0])), !token.isEmpty,
        let rank = Int(String(decoding: parts[1], as: UTF8.self)), rank == tokens.count
      else {
        throw Failure(
          .badInput, "not a line of base64 and the rank \(tokens.count)", file: file, line: index + 1,
          remedy: "Give a whole .tiktoken file, sorted by rank")
      }
      tokens.append(Array(token))
    }
    let merges = try merges(tokens, file: file)
    let end = UInt32(tokens.count)
    return Tokenizer(
      mode: .byteLevel, preTokenizer: preTokenizer, tokens: tokens + [Array(Tokenizer.endOfText.utf8)],
      merges: merges, addedTokens: [.init(id: end, text: Tokenizer.endOfText)])
  }

  /// Each token of more than one byte is the merge of the two tokens to which the merges before it reduce its
  /// bytes.
  ///
  /// A token whose bytes they reduce to more than two can never arise, and has no merge.
  private static func merges(_ tokens: [[UInt8]], file: String) throws -> [Tokenizer.Merge] {
    let index = Vocabulary(tokens)
    let bytes = try (UInt8.min...UInt8.max).map { byte -> UInt32 in
      guard let id = index.id(of: [byte]) else {
        throw Failure(
          .badInput, "has no token for the byte \(byte)", file: file, remedy: "Give a whole .tiktoken file")
      }
      return id
    }
    var table = MergeTable(capacity: tokens.count)
    var merger = TableMerger()
    var merges: [Tokenizer.Merge] = []
    for (id, token) in tokens.enumerated() where token.count > 1 {
      merger.reserve(token.count)
      for (index, byte) in token.enumerated() { merger.symbols[index] = bytes[Int(byte)] }
      let count = table.withView { merger.merge($0, count: token.count) }
      guard count == 2 else { continue }
      let merge = Tokenizer.Merge(left: merger.symbols[0], right: merger.symbols[1], result: UInt32(id))
      table.insert(merge, rank: merges.count)
      merges.append(merge)
    }
    return merges
  }

  /// The tokens of a byte-level tokenizer whose merges have ascending results, as those learned here have.
  package static func write(_ tokenizer: Tokenizer) throws -> [UInt8] {
    let isInOrder = zip(tokenizer.merges, tokenizer.merges.dropFirst()).allSatisfy { $0.result < $1.result }
    guard tokenizer.mode == .byteLevel, isInOrder else {
      throw Failure(
        .usage, "a .tiktoken file needs a byte-level tokenizer whose ids are in the order of its merges",
        remedy: "Write tokenizer.json instead")
    }
    let specials = Set(tokenizer.specialTokens.map(\.id))
    var out: [UInt8] = []
    for id in 0..<UInt32(tokenizer.vocabulary.count) where !specials.contains(id) {
      out += Array(Data(tokenizer.vocabulary[id]).base64EncodedData()) + Array(" \(id)\n".utf8)
    }
    return out
  }
}
