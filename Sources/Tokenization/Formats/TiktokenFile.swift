import Foundation
import Support

/// `.tiktoken`: a line `base64(token) rank` for each token, including the 256 bytes.
///
/// The rank is the id and the order of merging, and a pre-token that is a token is not merged. The file has neither the
/// pattern nor special tokens: ``KnownRanks`` tells those of well-known files, the name of any other tells its pattern,
/// and ``Tokenizer/endOfText`` has the first id after the last rank.
package enum TiktokenFile {
  private static let patterns: [(name: String, preTokenizer: PreTokenizer)] = [
    ("cl100k", .cl100k), ("o200k", .o200k), ("gpt2", .gpt2), ("r50k", .gpt2), ("p50k", .gpt2),
    ("llama3", .llama3),
    ("qwen2", .qwen2), ("qwen35", .qwen35), ("tekken", .tekken), ("kimi", .kimi),
  ]

  /// The pattern that the name of a file tells, or nil if it tells none or several.
  package static func preTokenizer(ofFileNamed path: String) -> PreTokenizer? {
    let found = preTokenizers(ofFileNamed: path)
    return found.count == 1 ? found[0] : nil
  }

  private static func preTokenizers(ofFileNamed path: String) -> [PreTokenizer] {
    let name = Path.name(of: path).lowercased()
    var found: [PreTokenizer] = []
    for pattern in patterns where name.contains(pattern.name) && !found.contains(pattern.preTokenizer) {
      found.append(pattern.preTokenizer)
    }
    return found
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
    var tokens: [[UInt8]] = []
    var count = 0
    for (index, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      if line.isEmpty || line.elementsEqual([0x0d]) { continue }
      guard let (token, rank) = entry(line), rank >= tokens.count, rank < 1 << 24 else {
        throw Failure(
          .badInput, "not a line of base64 and a rank of \(tokens.count) or more", file: file,
          line: index + 1,
          remedy: "Give a whole .tiktoken file, sorted by rank")
      }
      // A rank that is skipped has no token, as in p50k_base.
      while tokens.count < rank { tokens.append([]) }
      tokens.append(token)
      count += 1
    }
    let known = KnownRanks.recognize(bytes, tokens, count: count)
    let preTokenizer = try preTokenizer(file, known)
    let (merges, isComplete) = try merges(tokens, file: file)
    var added: [AddedToken] = []
    for (text, id) in known?.specialTokens ?? [(Tokenizer.endOfText, UInt32(tokens.count))] {
      while tokens.count <= id { tokens.append([]) }
      tokens[Int(id)] = Array(text.utf8)
      added.append(AddedToken(id: id, text: text))
    }
    return Tokenizer(
      mode: .byteLevel, preTokenizer: preTokenizer, tokens: tokens, merges: merges, addedTokens: added,
      ignoresMerges: !isComplete)
  }

  private static func preTokenizer(_ file: String, _ known: KnownRanks?) throws -> PreTokenizer {
    let named = preTokenizers(ofFileNamed: file)
    if let known {
      // The pattern of Llama 3 is an older form of that of cl100k_base, whose name it may bear.
      guard named.isEmpty || named.contains(known.preTokenizer) else {
        throw Failure(
          .badInput, "has the ranks of \(known.name), and its name tells another pattern", file: file,
          remedy: "Rename it")
      }
      if named.count < 2 { return known.preTokenizer }
    }
    guard named.count < 2 else {
      throw Failure(
        .usage, "its name tells several patterns: \(named.map(\.rawValue).joined(separator: ", "))",
        file: file,
        remedy: "Let its name tell one")
    }
    guard let preTokenizer = named.first else {
      throw Failure(
        .usage, "the pattern of a .tiktoken file is not in the file", file: file,
        remedy:
          "Let its name say which, as in NAME.gpt2.tiktoken: \(patterns.map(\.name).joined(separator: ", "))")
    }
    return preTokenizer
  }

  /// The token and the rank of a line.
  private static func entry(_ line: ArraySlice<UInt8>) -> (token: [UInt8], rank: Int)? {
    let line = line.last == 0x0d ? line.dropLast() : line
    let parts = line.split(separator: 0x20)
    guard parts.count == 2, parts[1].allSatisfy({ $0 &- 0x30 < 10 }),
      let rank = Int(String(decoding: parts[1], as: UTF8.self))
    else { return nil }
    // Whisper's last line has an empty token.
    if parts[0].elementsEqual([UInt8(ascii: "=")]) { return ([], rank) }
    guard let token = Data(base64Encoded: Data(parts[0])), !token.isEmpty else { return nil }
    return (Array(token), rank)
  }

  /// Whether the first lines have this form.
  static func looksLikeOne(_ bytes: [UInt8]) -> Bool {
    let lines = bytes.prefix(1 << 12).split(separator: 0x0a)
    // The last one may be cut.
    let whole = lines.count > 1 ? lines.dropLast() : lines[...]
    var next = 0
    for line in whole.prefix(64) {
      guard let (_, rank) = entry(line), rank >= next else { return false }
      next = rank + 1
    }
    return next > 0
  }

  /// Each token of more than one byte is the merge of the two tokens to which the merges before it reduce its
  /// bytes.
  ///
  /// A token whose bytes they reduce to more than two cannot arise from these; it arises from two tokens of higher ranks,
  /// or only where it is a whole pre-token. `isComplete` says that there is no such token.
  static func merges(_ tokens: [[UInt8]], file: String) throws
    -> (merges: [Tokenizer.Merge], isComplete: Bool)
  {
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
    var rest: [Int] = []
    func merge(of id: Int) -> Tokenizer.Merge? {
      let token = tokens[id]
      merger.reserve(token.count)
      for (index, byte) in token.enumerated() { merger.symbols[index] = bytes[Int(byte)] }
      let count = table.withView { merger.merge($0, count: token.count) }
      return count == 2 ? .init(left: merger.symbols[0], right: merger.symbols[1], result: UInt32(id)) : nil
    }
    for (id, token) in tokens.enumerated() where token.count > 1 {
      if let merge = merge(of: id) {
        table.insert(merge, rank: merges.count)
        merges.append(merge)
      } else if index.id(of: token) == UInt32(id) {
        rest.append(id)
      }
    }
    // All merges before and behind them are known now.
    let late = rest.compactMap { merge(of: $0) }
    if !late.isEmpty { merges = (merges + late).sorted { $0.result < $1.result } }
    return (merges, rest.isEmpty)
  }

  /// The tokens of a byte-level tokenizer whose merges have ascending results, as those learned here have.
  package static func write(_ tokenizer: Tokenizer) throws -> [UInt8] {
    try tokenizer.refuseParts(of: ".tiktoken", keepsWholeTokens: true)
    let isInOrder = zip(tokenizer.merges, tokenizer.merges.dropFirst()).allSatisfy { $0.result < $1.result }
    guard tokenizer.mode == .byteLevel, isInOrder else {
      throw Failure(
        .usage, "a .tiktoken file needs a byte-level tokenizer whose ids are in the order of its merges",
        remedy: "Write tokenizer.json instead")
    }
    let specials = Set(tokenizer.specialTokens.map(\.id))
    var out: [UInt8] = []
    for id in 0..<UInt32(tokenizer.vocabulary.count)
    where !specials.contains(id) && !tokenizer.vocabulary.range(of: id).isEmpty {
      out += Array(Data(tokenizer.vocabulary[id]).base64EncodedData()) + Array(" \(id)\n".utf8)
    }
    return out
  }
}
