import Support

// Reading.
extension TokenizerJSON {
  package static func read(_ bytes: [UInt8], file: String) throws -> Tokenizer {
    let json = try JSONValue(parsing: bytes, file: file)
    return try Reader(json: json, file: file).tokenizer()
  }

  private struct Reader {
    let json: JSONValue
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

    /// Whether the part splits by GPT-2's pattern.
    private func byteLevel(_ part: JSONValue) throws -> Bool {
      // Both default to true where they are not written.
      if part["add_prefix_space"]?.bool != false { throw unsupported("ByteLevel with add_prefix_space") }
      return part["use_regex"]?.bool != false
    }

    private func assemble(_ mode: Tokenizer.Mode, _ model: JSONValue, _ preTokenizer: PreTokenizer) throws
      -> Tokenizer
    {
      guard case .object(let entries)? = model["vocab"] else { throw broken("the model has no \"vocab\"") }
      guard let merges = model["merges"]?.array else { throw broken("the model has no \"merges\"") }
      let added = try addedTokens()
      let addedIDs = Set(added.map(\.id))
      var tokens: [[UInt8]] = []
      func set(_ id: UInt32, _ bytes: [UInt8]) throws {
        guard id < 1 << 24 else { throw broken("the id \(id) is larger than any vocabulary") }
        while tokens.count <= id { tokens.append([]) }
        tokens[Int(id)] = bytes
      }
      for entry in entries {
        guard let number = entry.value.number, let id = UInt32(exactly: number) else {
          throw broken("the id of \"\(String(decoding: entry.key, as: UTF8.self))\" is no natural number")
        }
        // A token of the library's own alphabet may be anything; those that text cannot produce stay as they are.
        try set(
          id, mode == .word || addedIDs.contains(id) ? entry.key : ByteAlphabet.decode(entry.key) ?? entry.key
        )
      }
      for token in added { try set(token.id, Array(token.text.utf8)) }
      let written = Vocabulary(tokens)
      if mode == .byteLevel {
        for byte in UInt8.min...UInt8.max where written.id(of: [byte]) == nil {
          throw broken("the vocabulary has no token for the byte \(byte): not a byte-level tokenizer")
        }
      }
      let unknown = mode == .word ? try unknownID(model, written) : nil
      return Tokenizer(
        mode: mode, preTokenizer: preTokenizer, tokens: tokens,
        merges: try merges.enumerated().map { try merge($1, rank: $0, mode, written) }, specialTokens: added,
        unknown: unknown, ignoresMerges: model["ignore_merges"]?.bool ?? false)
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

    /// Both spellings: `["a", "b"]` and `"a b"`.
    private func merge(
      _ value: JSONValue, rank: Int, _ mode: Tokenizer.Mode, _ vocabulary: Vocabulary
    ) throws -> Tokenizer.Merge {
      var sides: [[UInt8]] = []
      switch value {
      case .string(let text): sides = text.split(separator: 0x20).map(Array.init)
      case .array(let pair):
        for case .string(let text) in pair { sides.append(text) }
      default: break
      }
      guard sides.count == 2 else { throw broken("merge \(rank) is not a pair of tokens") }
      func id(_ token: [UInt8]) throws -> UInt32 {
        let bytes = mode == .word ? token : ByteAlphabet.decode(token) ?? token
        guard let id = vocabulary.id(of: bytes) else {
          throw broken(
            "merge \(rank) needs \"\(String(decoding: token, as: UTF8.self))\", which is not in the vocabulary"
          )
        }
        return id
      }
      return Tokenizer.Merge(
        left: try id(sides[0]), right: try id(sides[1]), result: try id(sides[0] + sides[1]))
    }
  }
}
