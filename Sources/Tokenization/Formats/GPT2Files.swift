import Support

/// The two files of GPT-2: `merges.txt`, with a line `#version: 0.2` and then one merge per line, and
/// `vocab.json`, the ids by token. Both write tokens in the characters of ``ByteAlphabet``.
package enum GPT2Files {
  /// Without a `vocabulary` the ids are the standard ones: the bytes in the order of ``ByteAlphabet``, the
  /// merges, and ``Tokenizer/endOfText``.
  package static func read(
    merges: [UInt8], mergesFile: String, vocabulary: [UInt8]?, vocabularyFile: String
  ) throws -> Tokenizer {
    var pairs: [([UInt8], [UInt8])] = []
    for (index, line) in merges.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      let line = line.last == 0x0d ? line.dropLast() : line
      if line.isEmpty || index == 0 && line.starts(with: "#version".utf8) { continue }
      let sides = line.split(separator: 0x20, omittingEmptySubsequences: false)
      guard sides.count == 2, let left = ByteAlphabet.decode(Array(sides[0])), !left.isEmpty,
        let right = ByteAlphabet.decode(Array(sides[1])), !right.isEmpty
      else {
        throw Failure(
          .badInput, "not a merge of two byte-level tokens", file: mergesFile, line: index + 1,
          remedy: "Give a merges.txt in the form of GPT-2")
      }
      pairs.append((left, right))
    }
    var tokens: [[UInt8]]
    var specials: [AddedToken] = []
    if let vocabulary {
      (tokens, specials) = try read(vocabulary, vocabularyFile)
    } else {
      tokens = ByteAlphabet.bytes.map { [$0] }
      var known = Set(tokens)
      for (left, right) in pairs where known.insert(left + right).inserted { tokens.append(left + right) }
      specials = [.init(id: UInt32(tokens.count), text: Tokenizer.endOfText)]
      tokens.append(Array(Tokenizer.endOfText.utf8))
    }
    let index = Vocabulary(tokens)
    for byte in UInt8.min...UInt8.max where index.id(of: [byte]) == nil {
      throw Failure(
        .badInput, "has no token for the byte \(byte): not a byte-level vocabulary", file: vocabularyFile,
        remedy: "Give a vocab.json in the form of GPT-2")
    }
    let merges = try pairs.enumerated().map { rank, pair in
      guard let left = index.id(of: pair.0), let right = index.id(of: pair.1),
        let result = index.id(of: pair.0 + pair.1)
      else {
        throw Failure(
          .badInput, "merge \(rank) of \(mergesFile) needs a token that is not in the vocabulary",
          file: vocabularyFile, remedy: "Give the vocab.json and merges.txt of one tokenizer")
      }
      return Tokenizer.Merge(left: left, right: right, result: result)
    }
    return Tokenizer(
      mode: .byteLevel, preTokenizer: .gpt2, tokens: tokens, merges: merges, addedTokens: specials)
  }

  private static func read(_ vocabulary: [UInt8], _ file: String) throws -> (
    [[UInt8]], [AddedToken]
  ) {
    guard case .object(let entries) = try JSONValue(parsing: vocabulary, file: file) else {
      throw Failure(
        .badInput, "is not an object of tokens and ids", file: file,
        remedy: "Give a vocab.json in the form of GPT-2")
    }
    var tokens: [[UInt8]] = []
    var specials: [AddedToken] = []
    for entry in entries {
      guard let number = entry.value.number, let id = UInt32(exactly: number), id < 1 << 24 else {
        throw Failure(
          .badInput,
          "the id of \"\(String(decoding: entry.key, as: UTF8.self))\" is not a natural number below 2^24",
          file: file, remedy: "Give a vocab.json in the form of GPT-2")
      }
      while tokens.count <= id { tokens.append([]) }
      let text = String(decoding: entry.key, as: UTF8.self)
      if text == Tokenizer.endOfText {
        specials.append(.init(id: id, text: text))
        tokens[Int(id)] = entry.key
      } else {
        tokens[Int(id)] = ByteAlphabet.decode(entry.key) ?? entry.key
      }
    }
    return (tokens, specials)
  }

  package static func writeMerges(_ tokenizer: Tokenizer) -> [UInt8] {
    var out = Array("#version: 0.2\n".utf8)
    for merge in tokenizer.merges {
      out += ByteAlphabet.encode(tokenizer.vocabulary[merge.left]) + [0x20]
      out += ByteAlphabet.encode(tokenizer.vocabulary[merge.right]) + [0x0a]
    }
    return out
  }

  package static func writeVocabulary(_ tokenizer: Tokenizer) -> [UInt8] {
    let specials = Set(tokenizer.specialTokens.map(\.id))
    var json = JSONWriter()
    json.object { json in
      for id in 0..<UInt32(tokenizer.vocabulary.count) where !tokenizer.vocabulary.range(of: id).isEmpty {
        let bytes = tokenizer.vocabulary[id]
        json.key { out in
          (specials.contains(id) ? bytes : ByteAlphabet.encode(bytes)).withUnsafeBytes {
            JSONText.quote($0, into: &out)
          }
        }
        json.value(Int(id))
      }
    }
    return json.bytes
  }
}
