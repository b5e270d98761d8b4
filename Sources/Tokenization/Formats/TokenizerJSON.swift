import Support

/// The `tokenizer.json` of the Hugging Face `tokenizers` library, with the parts that are supported here: BPE
/// models, byte-level with the patterns of ``PreTokenizer``, or words with `</w>`.
///
/// The ids are those of that library, except for the text of special tokens, which is ordinary text here.
package enum TokenizerJSON {}

// Writing.
extension TokenizerJSON {
  /// Keys have the order of the library. Merges are lists, so that tokens may contain spaces.
  package static func write(_ tokenizer: Tokenizer) throws -> [UInt8] {
    guard !tokenizer.endOfWordIsSymbol else {
      throw Failure(
        .usage, "codes of subword-nmt's format 0.1 have no tokenizer.json",
        remedy: "Learn the codes again in format 0.2, or write codes")
    }
    let tokenizer = try tokenizer.inTermsOfTokenizerJSON()
    var json = JSONWriter()
    // A token occurs in the vocabulary and in the merges, and each of its bytes takes up to two.
    json.reserveCapacity(tokenizer.vocabulary.count * 60 + 4 * tokenizer.vocabulary.withBytes(\.count))
    json.object(.lines) { json in
      json.member("version", "1.0")
      json.nullMember("truncation")
      json.nullMember("padding")
      json.key("added_tokens")
      json.array(.lines) { json in
        for token in tokenizer.addedTokens { json.object(.lines) { write(token, to: &$0) } }
      }
      json.key("normalizer")
      TokenizerJSONParts.write(tokenizer.normalization, to: &json)
      json.key("pre_tokenizer")
      TokenizerJSONParts.write(tokenizer.preTokenizationSteps, to: &json)
      json.key("post_processor")
      TokenizerJSONParts.write(tokenizer.postProcessor?.json ?? .null, to: &json)
      json.key("decoder")
      TokenizerJSONParts.write(tokenizer.decodingSteps, to: &json)
      json.key("model")
      json.object(.lines) { writeModel(of: tokenizer, to: &$0) }
    }
    return json.bytes + [0x0a]
  }

  private static func write(_ token: AddedToken, to json: inout JSONWriter) {
    json.member("id", Int(token.id))
    json.member("content", token.text)
    json.member("single_word", token.isSingleWord)
    json.member("lstrip", token.stripsLeft)
    json.member("rstrip", token.stripsRight)
    json.member("normalized", token.isNormalized)
    json.member("special", token.isSpecial)
  }

  private static func writeModel(of tokenizer: Tokenizer, to json: inout JSONWriter) {
    json.member("type", "BPE")
    json.nullMember("dropout")
    if let unknown = tokenizer.unknown {
      json.member("unk_token", String(decoding: tokenizer.vocabulary[unknown], as: UTF8.self))
    } else {
      json.nullMember("unk_token")
    }
    json.nullMember("continuing_subword_prefix")
    if tokenizer.mode == .word {
      json.member("end_of_word_suffix", "</w>")
    } else {
      json.nullMember("end_of_word_suffix")
    }
    json.member("fuse_unk", tokenizer.fusesUnknown)
    json.member("byte_fallback", tokenizer.byteFallback)
    json.member("ignore_merges", tokenizer.ignoresMerges)
    let special = Dictionary(uniqueKeysWithValues: tokenizer.addedTokens.map { ($0.id, $0.text) })
    // Bytes that the vocabulary lacks have ids behind its own.
    let count = tokenizer.mode == .byteLevel ? tokenizer.listedCount : tokenizer.vocabulary.count
    json.key("vocab")
    json.object(.lines) { json in
      for id in 0..<UInt32(count) where !tokenizer.vocabulary.range(of: id).isEmpty {
        if let text = special[id] { json.key(text) } else { json.key { append(id, of: tokenizer, to: &$0) } }
        json.value(Int(id))
      }
    }
    json.key("merges")
    json.array(.lines) { json in
      for merge in tokenizer.merges {
        json.array(.spaced) { json in
          json.value { append(merge.left, of: tokenizer, to: &$0) }
          json.value { append(merge.right, of: tokenizer, to: &$0) }
        }
      }
    }
  }

  /// A token in quotation marks.
  private static func append(_ id: UInt32, of tokenizer: Tokenizer, to out: inout [UInt8]) {
    let range = tokenizer.vocabulary.range(of: id)
    tokenizer.vocabulary.withBytes { bytes in
      let token = UnsafeBufferPointer(rebasing: bytes[range])
      if tokenizer.mode != .byteLevel { return JSONText.quote(UnsafeRawBufferPointer(token), into: &out) }
      ByteAlphabet.appendQuoted(token, to: &out)
    }
  }
}

extension Tokenizer {
  /// The components that split and space text, as a tokenizer.json has them.
  package var preTokenizationSteps: [PreTokenizationStep] {
    var steps = preTokenizer.steps
    let plain = PreTokenizationStep.byteLevel(addPrefixSpace: false, usesRegex: false)
    if mode != .byteLevel { steps.removeAll { $0 == plain } }
    if mode == .byteLevel && !steps.contains(where: \.isByteLevel) { steps.append(plain) }
    switch spacing {
    case .none: break
    case .prefixSpace:
      if case .byteLevel(_, let usesRegex) = steps[0] {
        steps[0] = .byteLevel(addPrefixSpace: true, usesRegex: usesRegex)
      }
    case .metaspace(let replacement, let scheme):
      if case .metaspace? = steps.first { break }
      steps.insert(.metaspace(replacement: replacement, prependScheme: scheme, split: false), at: 0)
    }
    return steps
  }

  /// The decoder that was read, or the one that this mode needs.
  package var decodingSteps: [DecodingStep] {
    if !decoding.isEmpty { return decoding }
    switch mode {
    case .byteLevel: return [.byteLevel]
    case .word: return [.wordSuffix]
    case .character: return []
    }
  }
}
