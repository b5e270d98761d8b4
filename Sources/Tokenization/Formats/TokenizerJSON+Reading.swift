import Support

// Reading.
extension TokenizerJSON {
  package static func read(_ bytes: [UInt8], file: String) throws -> Tokenizer {
    var vocabulary: VocabularyTexts?
    var merges: MergeTexts?
    let json = try JSONReader.read(bytes, file: file) { reader in
      guard reader.peek() == UInt8(ascii: "{") else { return try reader.value() }
      var members: [JSONValue.Member] = []
      try reader.forEachMember { reader in
        let key = reader.key
        let isModel = key.elementsEqual("model".utf8) && reader.peek() == UInt8(ascii: "{")
        let value = isModel ? try model(&reader, &vocabulary, &merges) : try reader.value()
        members.append(JSONValue.Member(key: key, value: value))
      }
      return .object(members)
    }
    return try Reader(json: json, vocabulary: vocabulary, merges: merges, file: file).tokenizer()
  }

  /// The model without its two large members, which go to `vocabulary` and `merges`; the first of each is
  /// used.
  private static func model(
    _ reader: inout JSONReader, _ vocabulary: inout VocabularyTexts?, _ merges: inout MergeTexts?
  ) throws -> JSONValue {
    var members: [JSONValue.Member] = []
    try reader.forEachMember { reader in
      let key = reader.key
      var value = JSONValue.null
      if vocabulary == nil && key.elementsEqual("vocab".utf8) && reader.peek() == UInt8(ascii: "{") {
        vocabulary = try VocabularyTexts(&reader)
      } else if merges == nil && key.elementsEqual("merges".utf8) && reader.peek() == UInt8(ascii: "[") {
        merges = try MergeTexts(&reader)
      } else {
        value = try reader.value()
      }
      members.append(JSONValue.Member(key: key, value: value))
    }
    return .object(members)
  }

  /// The tokens as written in the file, one after another, with their ids.
  private struct VocabularyTexts {
    var bytes: [UInt8] = []
    var entries: [(id: Int, end: Int)] = []
    /// The message about the first entry without an id.
    var mistake: String?

    init(_ reader: inout JSONReader) throws {
      try reader.forEachMember { reader in
        bytes.append(contentsOf: reader.key)
        let value = try reader.value()
        var id = 0
        if let number = value.number, let natural = UInt32(exactly: number) {
          if natural >= 1 << 24 { note("the id \(natural) is larger than any vocabulary") }
          id = Int(natural)
        } else {
          let start = entries.last?.end ?? 0
          note("the id of \"\(String(decoding: bytes[start...], as: UTF8.self))\" is not a natural number")
        }
        entries.append((id, bytes.count))
      }
    }

    private mutating func note(_ mistake: String) { self.mistake = self.mistake ?? mistake }
  }

  /// The two sides of each merge, one after another: `["a", "b"]` or `"a b"`.
  private struct MergeTexts {
    var bytes: [UInt8] = []
    var ends: [(left: Int, right: Int)] = []
    /// The number of the first merge that does not have two sides.
    var mistake: Int?

    init(_ reader: inout JSONReader) throws {
      try reader.forEachElement { reader in
        let start = bytes.count
        var middle = start
        var count = 0
        if reader.peek() == UInt8(ascii: "[") {
          try reader.forEachElement { reader in
            if reader.peek() == UInt8(ascii: "\"") {
              try reader.string(into: &bytes)
              count += 1
              if count == 1 { middle = bytes.count }
            } else {
              _ = try reader.value()
            }
          }
        } else if reader.peek() == UInt8(ascii: "\"") {
          try reader.string(into: &bytes)
          let parts = bytes[start...].split(separator: 0x20)
          count = parts.count
          if count == 2 {
            middle = start + parts[0].count
            bytes.replaceSubrange(start..., with: Array(parts[0] + parts[1]))
          }
        } else {
          _ = try reader.value()
        }
        if count != 2 { mistake = mistake ?? ends.count }
        ends.append((middle, bytes.count))
      }
    }
  }

  private struct Reader {
    let json: JSONValue
    let vocabulary: VocabularyTexts?
    let merges: MergeTexts?
    let file: String

    private func unsupported(_ part: String) -> Failure {
      Failure(
        .badInput, "\(part) is not supported", file: file,
        remedy:
          "Supported: model BPE without byte_fallback or prefix, pre-tokenizers ByteLevel, Split with the patterns "
          + "of gpt2, cl100k, llama3, o200k, whitespace, and words with end_of_word_suffix </w>; no normalizer"
      )
    }

    private func broken(_ message: String) -> Failure {
      Failure(.badInput, message, file: file, remedy: "Give a tokenizer.json of the tokenizers library")
    }

    func tokenizer() throws -> Tokenizer {
      guard let model = json["model"] else { throw broken("has no \"model\": not a tokenizer.json") }
      let type = model["type"]?.string ?? (model["merges"] == nil ? "unknown" : "BPE")
      guard type == "BPE" else { throw unsupported("the model \(type)") }
      if let normalizer = json["normalizer"], !normalizer.isNull {
        throw unsupported("the normalizer \(normalizer["type"]?.string ?? "?")")
      }
      if let processor = json["post_processor"], !processor.isNull, processor["type"]?.string != "ByteLevel" {
        throw unsupported("the post_processor \(processor["type"]?.string ?? "?")")
      }
      if let dropout = model["dropout"]?.number, dropout > 0 { throw unsupported("dropout \(dropout)") }
      if model["byte_fallback"]?.bool == true { throw unsupported("byte_fallback") }
      if let prefix = model["continuing_subword_prefix"]?.string, !prefix.isEmpty {
        throw unsupported("continuing_subword_prefix \"\(prefix)\"")
      }
      let suffix = model["end_of_word_suffix"]?.string ?? ""
      guard suffix.isEmpty || suffix == "</w>" else { throw unsupported("end_of_word_suffix \"\(suffix)\"") }
      if !suffix.isEmpty && model["fuse_unk"]?.bool == true { throw unsupported("fuse_unk") }
      let mode = suffix.isEmpty ? Tokenizer.Mode.byteLevel : .word
      return try assemble(mode, model, try preTokenizer(mode))
    }

    private func preTokenizer(_ mode: Tokenizer.Mode) throws -> PreTokenizer {
      guard let part = json["pre_tokenizer"], !part.isNull else {
        throw unsupported("a missing pre_tokenizer (characters instead of bytes)")
      }
      let type = part["type"]?.string ?? "?"
      if mode == .word {
        let isOurs =
          type == "Split" && part["pattern"]?["Regex"]?.string == PreTokenizer.words.pattern
          && part["behavior"]?.string == "Removed" && part["invert"]?.bool != true
        guard isOurs || type == "WhitespaceSplit" else { throw unsupported("the pre_tokenizer \(type)") }
        return .words
      }
      if type == "ByteLevel" { return try byteLevel(part) ? .gpt2 : .none }
      guard type == "Sequence", let parts = part["pretokenizers"]?.array, parts.count == 2,
        parts[0]["type"]?.string == "Split", parts[1]["type"]?.string == "ByteLevel",
        try !byteLevel(parts[1])
      else { throw unsupported("the pre_tokenizer \(type)") }
      let pattern = parts[0]["pattern"]?["Regex"]?.string ?? ""
      guard parts[0]["behavior"]?.string == "Isolated", parts[0]["invert"]?.bool != true,
        let known = PreTokenizer.allCases.first(where: { $0 != .words && $0.pattern == pattern })
      else { throw unsupported("the pre_tokenizer Split with the pattern \(pattern)") }
      return known
    }

    /// Whether the component splits by GPT-2's pattern.
    private func byteLevel(_ part: JSONValue) throws -> Bool {
      // Both are true by default.
      if part["add_prefix_space"]?.bool != false { throw unsupported("ByteLevel with add_prefix_space") }
      return part["use_regex"]?.bool != false
    }

    private func assemble(_ mode: Tokenizer.Mode, _ model: JSONValue, _ preTokenizer: PreTokenizer) throws
      -> Tokenizer
    {
      guard let entries = vocabulary else { throw broken("the model has no \"vocab\"") }
      guard let merges else { throw broken("the model has no \"merges\"") }
      let added = try addedTokens()
      if let mistake = entries.mistake { throw broken(mistake) }
      if let id = added.map(\.id).first(where: { $0 >= 1 << 24 }) {
        throw broken("the id \(id) is larger than any vocabulary")
      }
      let vocabulary = assemble(entries, mode, added)
      if mode == .byteLevel {
        for byte in UInt8.min...UInt8.max where vocabulary.id(of: [byte]) == nil {
          throw broken("the vocabulary has no token for the byte \(byte): not a byte-level tokenizer")
        }
      }
      let unknown = mode == .word ? try unknownID(model, vocabulary) : nil
      return Tokenizer(
        mode: mode, preTokenizer: preTokenizer, vocabulary: vocabulary,
        merges: try assemble(merges, mode, vocabulary), specialTokens: added,
        unknown: unknown, ignoresMerges: model["ignore_merges"]?.bool ?? false)
    }

    /// The tokens by id. Of several with one id the last is used, and an added token before any other.
    private func assemble(
      _ entries: VocabularyTexts, _ mode: Tokenizer.Mode, _ added: [Tokenizer.SpecialToken]
    ) -> Vocabulary {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(entries.bytes.count)
      let ids = entries.entries.map(\.id) + added.map { Int($0.id) }
      var ranges = [Range<Int>](repeating: 0..<0, count: (ids.max() ?? -1) + 1)
      entries.bytes.withUnsafeBufferPointer { texts in
        var start = 0
        for entry in entries.entries {
          let first = bytes.count
          append(UnsafeBufferPointer(rebasing: texts[start..<entry.end]), mode, to: &bytes)
          ranges[entry.id] = first..<bytes.count
          start = entry.end
        }
      }
      for token in added {
        ranges[Int(token.id)] = bytes.count..<(bytes.count + token.text.utf8.count)
        bytes.append(contentsOf: token.text.utf8)
      }
      var ordered: [UInt8] = []
      ordered.reserveCapacity(bytes.count)
      for range in ranges { ordered.append(contentsOf: bytes[range]) }
      return Vocabulary(bytes: ordered, counts: ranges.map(\.count))
    }

    /// Appends the bytes of a written token. A token with characters outside ``ByteAlphabet``, which no text
    /// produces, stays as written.
    private func append(
      _ text: UnsafeBufferPointer<UInt8>, _ mode: Tokenizer.Mode, to bytes: inout [UInt8]
    ) {
      if mode == .word || !ByteAlphabet.decode(text, into: &bytes) { bytes.append(contentsOf: text) }
    }

    private func assemble(_ merges: MergeTexts, _ mode: Tokenizer.Mode, _ vocabulary: Vocabulary) throws
      -> [Tokenizer.Merge]
    {
      var result: [Tokenizer.Merge] = []
      result.reserveCapacity(merges.ends.count)
      var token: [UInt8] = []
      try merges.bytes.withUnsafeBufferPointer { texts in
        var start = 0
        for (middle, end) in merges.ends {
          if result.count == merges.mistake { throw broken("merge \(result.count) is not a pair of tokens") }
          let rank = result.count
          let left = try id(of: texts[start..<middle], mode, vocabulary, rank: rank, &token)
          let right = try id(of: texts[middle..<end], mode, vocabulary, rank: rank, &token)
          let whole = try id(of: texts[start..<end], mode, vocabulary, rank: rank, &token)
          result.append(Tokenizer.Merge(left: left, right: right, result: whole))
          start = end
        }
      }
      return result
    }

    /// The id of a token of a merge. `token` is a buffer for reuse.
    private func id(
      of text: Slice<UnsafeBufferPointer<UInt8>>, _ mode: Tokenizer.Mode, _ vocabulary: Vocabulary, rank: Int,
      _ token: inout [UInt8]
    ) throws -> UInt32 {
      token.removeAll(keepingCapacity: true)
      append(UnsafeBufferPointer(rebasing: text), mode, to: &token)
      if let id = vocabulary.id(of: token) { return id }
      throw broken(
        "merge \(rank) needs \"\(String(decoding: text, as: UTF8.self))\", which is not in the vocabulary")
    }

    private func unknownID(_ model: JSONValue, _ vocabulary: Vocabulary) throws -> UInt32 {
      guard let text = model["unk_token"]?.string, let id = vocabulary.id(of: Array(text.utf8)) else {
        throw broken("a word vocabulary without an unk_token loses characters")
      }
      return id
    }

    private func addedTokens() throws -> [Tokenizer.SpecialToken] {
      try (json["added_tokens"]?.array ?? []).map { token in
        guard let number = token["id"]?.number, let id = UInt32(exactly: number),
          let text = token["content"]?.string
        else { throw broken("an entry of \"added_tokens\" has no id or content") }
        return Tokenizer.SpecialToken(id: id, text: text)
      }
    }
  }
}
