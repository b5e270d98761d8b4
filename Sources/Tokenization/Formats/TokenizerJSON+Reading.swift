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

    /// The message about two tokens with one id, of which one would be lost; nil if there are none.
    func twins() -> String? {
      var owners = [Int](repeating: -1, count: (entries.map(\.id).max() ?? -1) + 1)
      for (index, entry) in entries.enumerated() {
        if owners[entry.id] >= 0, text(index) != text(owners[entry.id]) {
          return "\"\(text(owners[entry.id]))\" and \"\(text(index))\" have the same id \(entry.id)"
        }
        owners[entry.id] = index
      }
      return nil
    }

    private func text(_ index: Int) -> String {
      String(decoding: bytes[(index == 0 ? 0 : entries[index - 1].end)..<entries[index].end], as: UTF8.self)
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

    private var parts: TokenizerJSONParts { TokenizerJSONParts(file: file) }

    private func unsupported(_ part: String) -> Failure { parts.unsupported(part) }

    private func broken(_ message: String) -> Failure {
      Failure(.badInput, message, file: file, remedy: "Give a tokenizer.json of the tokenizers library")
    }

    func tokenizer() throws -> Tokenizer {
      guard let model = json["model"] else { throw broken("has no \"model\": not a tokenizer.json") }
      let type = model["type"]?.string ?? (model["merges"] == nil ? "unknown" : "BPE")
      guard type == "BPE" else {
        throw parts.unsupported(
          "the model \(type)", remedy: "Only BPE is; the model is another kind of tokenizer")
      }
      if let dropout = model["dropout"]?.number, dropout > 0 { throw unsupported("dropout \(dropout)") }
      if let prefix = model["continuing_subword_prefix"]?.string, !prefix.isEmpty {
        throw unsupported("continuing_subword_prefix \"\(prefix)\"")
      }
      let suffix = model["end_of_word_suffix"]?.string ?? ""
      guard suffix.isEmpty || suffix == "</w>" else { throw unsupported("end_of_word_suffix \"\(suffix)\"") }
      if !suffix.isEmpty && model["fuse_unk"]?.bool == true {
        throw unsupported("fuse_unk with end_of_word_suffix")
      }
      let steps = try parts.preTokenization(json["pre_tokenizer"])
      let isBytes = steps.contains(where: \.isByteLevel)
      let mode = suffix.isEmpty ? isBytes ? Tokenizer.Mode.byteLevel : .character : .word
      var tokenizer = try assemble(mode, model, try preTokenizer(mode, steps))
      tokenizer.normalization = try parts.normalization(json["normalizer"])
      tokenizer.spacing = try parts.spacing(steps)
      tokenizer.postProcessor = try parts.postProcessor(json["post_processor"])
      let (before, after) = tokenizer.idsAround
      if let id = (before + after).first(where: { $0 >= tokenizer.vocabulary.count }) {
        throw broken(
          "the post_processor adds the id \(id), and the vocabulary has \(tokenizer.vocabulary.count)")
      }
      tokenizer.decoding = parts.decoding(json["decoder"])
      tokenizer.byteFallback = mode == .character && model["byte_fallback"]?.bool == true
      tokenizer.fusesUnknown = model["fuse_unk"]?.bool == true
      return tokenizer
    }

    private func preTokenizer(_ mode: Tokenizer.Mode, _ steps: [PreTokenizationStep]) throws -> PreTokenizer {
      if mode == .word {
        guard steps == PreTokenizer.words.steps || steps == [.whitespaceSplit] else {
          throw unsupported("a pre_tokenizer other than WhitespaceSplit with end_of_word_suffix")
        }
        return .words
      }
      do {
        // Metaspace that does not split only changes text.
        return try PreTokenizer(
          steps: steps.filter { if case .metaspace(_, _, split: false) = $0 { false } else { true } })
      } catch let failure as Failure {
        throw Failure(failure.kind, failure.message, file: file, remedy: failure.remedy)
      }
    }

    private func assemble(_ mode: Tokenizer.Mode, _ model: JSONValue, _ preTokenizer: PreTokenizer) throws
      -> Tokenizer
    {
      guard let entries = vocabulary else { throw broken("the model has no \"vocab\"") }
      guard let merges else { throw broken("the model has no \"merges\"") }
      let added = try addedTokens()
      if let mistake = entries.mistake ?? entries.twins() { throw broken(mistake) }
      if let id = added.map(\.id).first(where: { $0 >= 1 << 24 }) {
        throw broken("the id \(id) is larger than any vocabulary")
      }
      var (bytes, counts) = assemble(entries, mode, added)
      let listedCount = counts.count
      let missing = mode == .byteLevel ? missingBytes(bytes, counts) : []
      if missing.count > 128 {
        throw broken(
          "the vocabulary has no token for the byte \(missing[0]) and others: not a byte-level tokenizer")
      }
      bytes += missing
      counts += missing.map { _ in 1 }
      let vocabulary = Vocabulary(bytes: bytes, counts: counts, last: Set(added.map(\.id)))
      var unknown: UInt32?
      if mode != .byteLevel || !missing.isEmpty { unknown = try unknownID(model, mode, vocabulary) }
      return Tokenizer(
        mode: mode, preTokenizer: preTokenizer, vocabulary: vocabulary,
        merges: try assemble(merges, mode, vocabulary), addedTokens: added,
        unknown: unknown, ignoresMerges: model["ignore_merges"]?.bool ?? false, listedCount: listedCount)
    }

    /// The bytes that no token is alone.
    private func missingBytes(_ bytes: [UInt8], _ counts: [Int]) -> [UInt8] {
      var isKnown = [Bool](repeating: false, count: 256)
      var start = 0
      for count in counts {
        if count == 1 { isKnown[Int(bytes[start])] = true }
        start += count
      }
      return (UInt8.min...UInt8.max).filter { !isKnown[Int($0)] }
    }

    /// The tokens by id. Of several with one id the last is used, and an added token before any other, unless it is
    /// the same token.
    private func assemble(
      _ entries: VocabularyTexts, _ mode: Tokenizer.Mode, _ added: [AddedToken]
    ) -> (bytes: [UInt8], counts: [Int]) {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(entries.bytes.count)
      let ids = entries.entries.map(\.id) + added.map { Int($0.id) }
      var ranges = [Range<Int>](repeating: 0..<0, count: (ids.max() ?? -1) + 1)
      // The added tokens that the model has under the same id.
      var known = Set<UInt32>()
      let addedTexts = Dictionary(added.map { (Int($0.id), $0.text) }) { $1 }
      entries.bytes.withUnsafeBufferPointer { all in
        var start = 0
        for entry in entries.entries {
          if let text = addedTexts[entry.id], all[start..<entry.end].elementsEqual(text.utf8) {
            known.insert(UInt32(entry.id))
          }
          let first = bytes.count
          append(UnsafeBufferPointer(rebasing: all[start..<entry.end]), mode, to: &bytes)
          ranges[entry.id] = first..<bytes.count
          start = entry.end
        }
      }
      for token in added where !known.contains(token.id) {
        ranges[Int(token.id)] = bytes.count..<(bytes.count + token.text.utf8.count)
        bytes.append(contentsOf: token.text.utf8)
      }
      var ordered: [UInt8] = []
      ordered.reserveCapacity(bytes.count)
      for range in ranges { ordered.append(contentsOf: bytes[range]) }
      return (ordered, ranges.map(\.count))
    }

    /// Appends the bytes of a written token. A token with characters outside ``ByteAlphabet``, which no text
    /// produces, stays as written.
    private func append(
      _ text: UnsafeBufferPointer<UInt8>, _ mode: Tokenizer.Mode, to bytes: inout [UInt8]
    ) {
      if mode != .byteLevel || !ByteAlphabet.decode(text, into: &bytes) { bytes.append(contentsOf: text) }
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

    private func unknownID(_ model: JSONValue, _ mode: Tokenizer.Mode, _ vocabulary: Vocabulary) throws
      -> UInt32?
    {
      guard let text = model["unk_token"]?.string, !text.isEmpty else {
        if mode == .word { throw broken("a word vocabulary without an unk_token loses characters") }
        return nil
      }
      guard let id = vocabulary.id(of: Array(text.utf8)) else {
        throw broken("the unk_token \"\(text)\" is not in the vocabulary")
      }
      return id
    }

    private func addedTokens() throws -> [AddedToken] {
      try (json["added_tokens"]?.array ?? []).map { token in
        guard let number = token["id"]?.number, let id = UInt32(exactly: number),
          let text = token["content"]?.string
        else { throw broken("an entry of \"added_tokens\" has no id or content") }
        var added = AddedToken(id: id, text: text, isSpecial: token["special"]?.bool ?? false)
        added.isSingleWord = token["single_word"]?.bool ?? false
        added.stripsLeft = token["lstrip"]?.bool ?? false
        added.stripsRight = token["rstrip"]?.bool ?? false
        added.isNormalized = token["normalized"]?.bool ?? !added.isSpecial
        return added
      }
    }
  }
}
