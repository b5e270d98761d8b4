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
    var json = JSONWriter()
    // A token occurs in the vocabulary and in the merges, and each of its bytes takes up to two.
    json.reserveCapacity(tokenizer.vocabulary.count * 60 + 4 * tokenizer.vocabulary.withBytes(\.count))
    json.object(.lines) { json in
      json.member("version", "1.0")
      json.nullMember("truncation")
      json.nullMember("padding")
      json.key("added_tokens")
      json.array(.lines) { json in
        for token in tokenizer.specialTokens { json.object(.lines) { write(token, to: &$0) } }
      }
      json.nullMember("normalizer")
      json.key("pre_tokenizer")
      write(tokenizer.preTokenizer, to: &json)
      json.nullMember("post_processor")
      json.key("decoder")
      if tokenizer.mode == .word {
        writeWordDecoder(to: &json)
      } else {
        writeByteLevel(usesRegex: true, to: &json)
      }
      json.key("model")
      json.object(.lines) { writeModel(of: tokenizer, to: &$0) }
    }
    return json.bytes + [0x0a]
  }

  private static func write(_ token: Tokenizer.SpecialToken, to json: inout JSONWriter) {
    json.member("id", Int(token.id))
    json.member("content", token.text)
    for name in ["single_word", "lstrip", "rstrip", "normalized"] { json.member(name, false) }
    json.member("special", true)
  }

  private static func writeModel(of tokenizer: Tokenizer, to json: inout JSONWriter) {
    json.member("type", "BPE")
    json.nullMember("dropout")
    if tokenizer.unknown == nil {
      json.nullMember("unk_token")
    } else {
      json.member("unk_token", Tokenizer.unknownToken)
    }
    json.nullMember("continuing_subword_prefix")
    if tokenizer.mode == .word {
      json.member("end_of_word_suffix", "</w>")
    } else {
      json.nullMember("end_of_word_suffix")
    }
    json.member("fuse_unk", false)
    json.member("byte_fallback", false)
    json.member("ignore_merges", tokenizer.ignoresMerges)
    let special = Dictionary(uniqueKeysWithValues: tokenizer.specialTokens.map { ($0.id, $0.text) })
    json.key("vocab")
    json.object(.lines) { json in
      for id in 0..<UInt32(tokenizer.vocabulary.count) where !tokenizer.vocabulary.range(of: id).isEmpty {
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
      if tokenizer.mode == .word { return JSONText.quote(UnsafeRawBufferPointer(token), into: &out) }
      ByteAlphabet.appendQuoted(token, to: &out)
    }
  }

  private static func writeByteLevel(usesRegex: Bool, to json: inout JSONWriter) {
    json.object(.spaced) { json in
      json.member("type", "ByteLevel")
      json.member("add_prefix_space", false)
      json.member("trim_offsets", true)
      json.member("use_regex", usesRegex)
    }
  }

  private static func writeWordDecoder(to json: inout JSONWriter) {
    json.object(.spaced) { json in
      json.member("type", "BPEDecoder")
      json.member("suffix", "</w>")
    }
  }

  private static func writeSplit(_ pattern: String, behavior: String, to json: inout JSONWriter) {
    json.object(.spaced) { json in
      json.member("type", "Split")
      json.key("pattern")
      json.object(.spaced) { $0.member("Regex", pattern) }
      json.member("behavior", behavior)
      json.member("invert", false)
    }
  }

  private static func write(_ preTokenizer: PreTokenizer, to json: inout JSONWriter) {
    switch preTokenizer {
    case .gpt2: writeByteLevel(usesRegex: true, to: &json)
    case .none: writeByteLevel(usesRegex: false, to: &json)
    case .words: writeSplit(preTokenizer.pattern!, behavior: "Removed", to: &json)
    case .cl100k, .llama3, .o200k, .whitespace:
      json.object(.spaced) { json in
        json.member("type", "Sequence")
        json.key("pretokenizers")
        json.array(.spaced) { json in
          writeSplit(preTokenizer.pattern!, behavior: "Isolated", to: &json)
          writeByteLevel(usesRegex: false, to: &json)
        }
      }
    }
  }
}
