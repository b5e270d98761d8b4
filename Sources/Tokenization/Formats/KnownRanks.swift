import Support

/// The well-known .tiktoken sets, recognized by what is in them: such a file holds neither a pattern nor special tokens.
///
/// The numbers are those that tiktoken, openai-whisper, Meta and Alibaba publish with their files.
struct KnownRanks {
  let name: String
  /// The number of ranks, the highest one and 1, and the rank of " the".
  private let count: Int
  private let end: Int
  private let the: Int
  /// The SHA-256 of the published files, in hexadecimal, where it is known.
  var hashes: [String] = []
  let preTokenizer: PreTokenizer
  let specialTokens: [(text: String, id: UInt32)]

  private static let endOfText = Tokenizer.endOfText

  private static let all = [
    KnownRanks(
      name: "r50k_base", count: 50256, end: 50256, the: 262,
      hashes: ["306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"], preTokenizer: .gpt2,
      specialTokens: [(endOfText, 50256)]),
    KnownRanks(
      name: "p50k_base", count: 50280, end: 50281, the: 262,
      hashes: ["94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"], preTokenizer: .gpt2,
      specialTokens: [(endOfText, 50256)]),
    KnownRanks(
      name: "cl100k_base", count: 100256, end: 100256, the: 279,
      hashes: ["223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"], preTokenizer: .cl100k,
      specialTokens: [
        (endOfText, 100257), ("<|fim_prefix|>", 100258), ("<|fim_middle|>", 100259),
        ("<|fim_suffix|>", 100260),
        ("<|endofprompt|>", 100276),
      ]),
    KnownRanks(
      name: "o200k_base", count: 199998, end: 199998, the: 290,
      hashes: ["446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"], preTokenizer: .o200k,
      specialTokens: [(endOfText, 199999), ("<|endofprompt|>", 200018)]),
    KnownRanks(
      name: "Llama 3", count: 128000, end: 128000, the: 279, preTokenizer: .llama3,
      specialTokens: [("<|begin_of_text|>", 128000), ("<|end_of_text|>", 128001)]),
    KnownRanks(
      name: "Qwen", count: 151643, end: 151643, the: 279,
      hashes: ["b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186"], preTokenizer: .qwen2,
      specialTokens: [(endOfText, 151643), ("<|im_start|>", 151644), ("<|im_end|>", 151645)]),
    // With and without the empty token at the end, which the special tokens follow.
    KnownRanks(
      name: "Whisper", count: 50256, end: 50256, the: 264, preTokenizer: .gpt2,
      specialTokens: [(endOfText, 50256)]),
    KnownRanks(
      name: "Whisper", count: 50257, end: 50257, the: 264,
      hashes: ["b34b360dbb493e781e479794586d661700670d65564001f23024971d1f2fa126"], preTokenizer: .gpt2,
      specialTokens: [(endOfText, 50257)]),
  ]

  /// The set of a file: by its hash, or where its bytes are others (line ends, a set without a known hash) by the numbers
  /// of its ranks. `tokens` are by rank, with empty ones where a rank is skipped.
  static func recognize(_ file: [UInt8], _ tokens: [[UInt8]], count: Int) -> KnownRanks? {
    let hash = file.withUnsafeBytes { Hashing.sha256($0) }
    if let known = all.first(where: { $0.hashes.contains(hash) }) { return known }
    let the = Array(" the".utf8)
    return all.first {
      $0.count == count && $0.end == tokens.count && tokens.indices.contains($0.the) && tokens[$0.the] == the
    }
  }
}
