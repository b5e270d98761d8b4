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
    let isWord = tokenizer.mode == .word
    var out: [UInt8] = []
    // A token occurs in the vocabulary and in the merges, and each of its bytes takes up to two.
    out.reserveCapacity(tokenizer.vocabulary.count * 60 + 4 * tokenizer.vocabulary.withBytes(\.count))
    func add(_ text: String) { out.append(contentsOf: text.utf8) }
    add("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
    for (index, token) in tokenizer.specialTokens.enumerated() {
      add(index == 0 ? "\n" : ",\n")
      add("    {\n      \"id\": \(token.id),\n      \"content\": \(JSONText.quote(token.text)),\n")
      add("      \"single_word\": false,\n      \"lstrip\": false,\n      \"rstrip\": false,\n")
      add("      \"normalized\": false,\n      \"special\": true\n    }")
    }
    add(tokenizer.specialTokens.isEmpty ? "],\n" : "\n  ],\n")
    add("  \"normalizer\": null,\n  \"pre_tokenizer\": \(preTokenizer(tokenizer.preTokenizer)),\n")
    add("  \"post_processor\": null,\n")
    add("  \"decoder\": \(isWord ? wordDecoder : byteLevel(usesRegex: true)),\n")
    add("  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n")
    add("    \"unk_token\": \(tokenizer.unknown == nil ? "null" : JSONText.quote(Tokenizer.unknownToken)),\n")
    add("    \"continuing_subword_prefix\": null,\n")
    add("    \"end_of_word_suffix\": \(isWord ? "\"</w>\"" : "null"),\n    \"fuse_unk\": false,\n")
    add("    \"byte_fallback\": false,\n    \"ignore_merges\": \(tokenizer.ignoresMerges),\n    \"vocab\": {")
    let special = Set(tokenizer.specialTokens.map(\.id))
    let (between, colon, comma) = (Array(",\n      ".utf8), Array(": ".utf8), Array(", ".utf8))
    var isFirst = true
    for id in 0..<UInt32(tokenizer.vocabulary.count) where !tokenizer.vocabulary.range(of: id).isEmpty {
      out += isFirst ? between[1...] : between[...]
      isFirst = false
      if special.contains(id) {
        add(JSONText.quote(tokenizer.specialTokens.first { $0.id == id }!.text))
      } else {
        append(id, of: tokenizer, to: &out)
      }
      out += colon
      DecimalIDs.append(id, to: &out)
    }
    add(isFirst ? "},\n    \"merges\": [" : "\n    },\n    \"merges\": [")
    for (rank, merge) in tokenizer.merges.enumerated() {
      out += rank == 0 ? between[1...] : between[...]
      out.append(UInt8(ascii: "["))
      append(merge.left, of: tokenizer, to: &out)
      out += comma
      append(merge.right, of: tokenizer, to: &out)
      out.append(UInt8(ascii: "]"))
    }
    add(tokenizer.merges.isEmpty ? "]\n  }\n}\n" : "\n    ]\n  }\n}\n")
    return out
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

  private static func byteLevel(usesRegex: Bool) -> String {
    #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": \#(usesRegex)}"#
  }

  private static let wordDecoder = #"{"type": "BPEDecoder", "suffix": "</w>"}"#

  private static func split(_ pattern: String, behavior: String) -> String {
    #"{"type": "Split", "pattern": {"Regex": \#(JSONText.quote(pattern))}, "behavior": "\#(behavior)", "invert": false}"#
  }

  private static func preTokenizer(_ preTokenizer: PreTokenizer) -> String {
    switch preTokenizer {
    case .gpt2: byteLevel(usesRegex: true)
    case .none: byteLevel(usesRegex: false)
    case .words: split(preTokenizer.pattern!, behavior: "Removed")
    case .cl100k, .llama3, .o200k, .whitespace:
      #"{"type": "Sequence", "pretokenizers": ["# + split(preTokenizer.pattern!, behavior: "Isolated") + ", "
        + byteLevel(usesRegex: false) + "]}"
    }
  }
}
