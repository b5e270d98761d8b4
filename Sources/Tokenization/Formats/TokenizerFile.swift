import Support

/// Reads and writes a tokenizer in the format that the name of the file tells.
package enum TokenizerFile {
  /// Reads a tokenizer, whose format its content tells: tokenizer.json, tekken.json, a model of SentencePiece, ranks of
  /// tiktoken, or merges of GPT-2 or of words. A name such as `merges.txt` decides only between the last two, where the content fits both.
  ///
  /// A directory stands for the tokenizer in it. gzip and zstd are recognized by content, too.
  package static func load(_ path: String) throws -> Tokenizer {
    if Path.isDirectory(path) { return try load(TokenizerDirectory.file(in: path)) }
    let bytes = try read(path)
    if SentencePieceModel.isModel(bytes) { return try SentencePieceModel.read(bytes, file: path) }
    if TekkenFile.isTekken(bytes) { return try TekkenFile.read(bytes, file: path) }
    let name = plainName(of: path)
    if name.hasSuffix(".tiktoken") || TiktokenFile.looksLikeOne(bytes) {
      return try TiktokenFile.read(bytes, file: path)
    }
    if bytes.first(where: { !" \t\r\n".utf8.contains($0) }) == UInt8(ascii: "{") || name.hasSuffix(".json") {
      return try readJSON(bytes, path)
    }
    switch MergesKind(bytes) {
    case .clip:
      throw Failure(
        .badInput, "the merges of CLIP, bytes with an end of word, are not supported", file: path,
        remedy: "Give a tokenizer of another kind")
    case .binary:
      throw Failure(
        .badInput, "is neither text nor a known tokenizer", file: path,
        remedy: "Give tokenizer.json, tekken.json, a model of SentencePiece, ranks of tiktoken, or merges")
    case .prose(let line):
      throw Failure(
        .badInput, "is no list of merges: the first one joins symbols that nothing before it makes",
        file: path, line: line,
        remedy: "If it is a pointer of Git LFS, fetch the file with `git lfs pull`; else download it again")
    case .bytes: return try readGPT2(bytes, path)
    case .words where isGPT2Name(name):
      throw Failure(
        .badInput, "its merges have </w> at the end of words, which GPT-2's do not", file: path,
        remedy:
          "If its words are what stands between spaces, as in fastBPE and subword-nmt, name it .codes; if it is "
          + "CLIP's, it is not supported")
    case .words: return try MergeCodes.read(bytes, file: path)
    case .either: return isGPT2Name(name) ? try readGPT2(bytes, path) : try MergeCodes.read(bytes, file: path)
    }
  }

  /// The same for a tokenizer that is going to encode much text: warns where that is slow.
  package static func loadToEncode(_ path: String) throws -> Tokenizer {
    let tokenizer = try load(path)
    if let warning = BPEEncoder.warning(tokenizer) { Log.warn("\(path): \(warning)") }
    return tokenizer
  }

  private static func isGPT2Name(_ name: String) -> Bool {
    name.hasSuffix("merges.txt") || name.hasSuffix("vocab.bpe")
  }

  private static func readJSON(_ bytes: [UInt8], _ path: String) throws -> Tokenizer {
    let name = plainName(of: path)
    for (own, other) in [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")]
    where name.hasSuffix(own) {
      let merges = Path.join(Path.directory(of: path), name.dropLast(own.count) + other)
      if Path.exists(merges) { return try readGPT2(read(merges), merges, vocabulary: (bytes, path)) }
    }
    return try TokenizerJSON.read(bytes, file: path)
  }

  /// GPT-2's merges, with the ids of the vocabulary beside them.
  private static func readGPT2(
    _ bytes: [UInt8], _ path: String, vocabulary: (bytes: [UInt8], path: String)? = nil
  ) throws -> Tokenizer {
    let name = plainName(of: path)
    var vocabulary = vocabulary
    var prefix = ""
    for (own, other) in [("merges.txt", "vocab.json"), ("vocab.bpe", "encoder.json")]
    where name.hasSuffix(own) {
      prefix = String(name.dropLast(own.count))
      let beside = Path.join(Path.directory(of: path), prefix + other)
      if vocabulary == nil && Path.exists(beside) { vocabulary = (try read(beside), beside) }
    }
    var tokenizer = try GPT2Files.read(
      merges: bytes, mergesFile: path, vocabulary: vocabulary?.bytes,
      vocabularyFile: vocabulary?.path ?? "vocab.json")
    let settings = Path.join(Path.directory(of: path), prefix + GPT2Settings.fileName)
    if Path.exists(settings) {
      try GPT2Settings.apply(read(settings), file: settings, to: &tokenizer)
    } else if !name.hasSuffix("vocab.bpe") {
      Log.warn(
        "\(path): merges hold no pattern and there is no \(GPT2Settings.fileName) beside: gpt2's is taken")
    }
    return tokenizer
  }

  /// The name of a file without the suffix of its compression.
  package static func plainName(of path: String) -> String {
    var name = Path.name(of: path)
    for suffix in [".gz", ".zst"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
    return name
  }

  private static func read(_ path: String) throws -> [UInt8] {
    let bytes = try MappedFile.read(path)
    guard bytes.starts(with: [0x1f, 0x8b]) || bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) else {
      return bytes
    }
    let file = try InputFile(path)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var text: [UInt8] = []
    while true {
      let count = try buffer.withUnsafeMutableBytes { try file.readSome(into: $0) }
      if count == 0 { break }
      text += buffer[..<count]
    }
    if let damage = file.damage {
      throw Failure(.badInput, damage.reason, file: path, offset: damage.offset, remedy: "Get the whole file")
    }
    return text
  }

  /// The paths and contents of the files of a tokenizer.
  ///
  /// `.json` is tokenizer.json, `.tiktoken` is tiktoken's format, and `merges.txt` is GPT-2's with
  /// `vocab.json` beside it. For any other path, or none, the file has codes in word mode, and is a
  /// tokenizer.json otherwise.
  package static func write(
    _ tokenizer: Tokenizer, to path: String?, codes: MergeCodes.Format = .subwordNMT
  ) throws -> [(path: String?, bytes: [UInt8])] {
    let name = path.map(Path.name(of:)) ?? ""
    let plain = path.map(plainName(of:)) ?? ""
    if plain.hasSuffix(".tiktoken") { return [(path, try TiktokenFile.write(tokenizer))] }
    if name.hasSuffix("merges.txt") {
      guard tokenizer.mode == .byteLevel else {
        throw Failure(.usage, "a word tokenizer has no merges.txt", remedy: "Write codes or tokenizer.json")
      }
      try tokenizer.refuseParts(of: "merges.txt", keepsWholeTokens: false)
      let prefix = String(path!.dropLast("merges.txt".count))
      let settings = prefix + GPT2Settings.fileName
      try GPT2Settings.checkReplaceable(settings)
      return [
        (prefix + "vocab.json", GPT2Files.writeVocabulary(tokenizer)),
        (path, GPT2Files.writeMerges(tokenizer)),
        (settings, GPT2Settings.write(tokenizer)),
      ]
    }
    if plain.hasSuffix(".json") || tokenizer.mode != .word && plain.isEmpty {
      return [(path, try TokenizerJSON.write(tokenizer))]
    }
    guard tokenizer.mode == .word else {
      throw Failure(
        .usage, "only a word tokenizer has codes", file: path,
        remedy: "Name the output .json, .tiktoken or merges.txt")
    }
    try tokenizer.refuseParts(of: "a codes file", keepsWholeTokens: tokenizer.ignoresMerges)
    if codes == .fastBPE && tokenizer.endOfWordIsSymbol {
      throw Failure(
        .usage,
        "in codes of subword-nmt's format 0.1 the end of a word is a symbol, which fastBPE does not know",
        remedy: "Write codes of subword-nmt")
    }
    return [(path, MergeCodes.write(tokenizer, format: codes))]
  }
}

/// What a file of merges, one a line, holds.
private enum MergesKind {
  /// Tokens in the characters that stand for bytes; words with `</w>` at their end; CLIP's, which are both; or nothing
  /// that tells.
  case bytes, words, clip, either
  /// No lines of text.
  case binary
  /// Lines of something else: the first merge, in this line, joins more than characters.
  case prose(line: Int)

  init(_ bytes: [UInt8]) {
    if bytes.prefix(64).contains(0) {
      self = .binary
      return
    }
    var (marked, spaced, isFirst) = (false, false, true)
    let space = ByteAlphabet.encoded[0x20]
    for (index, line) in bytes.prefix(1 << 16).split(separator: 0x0a).enumerated() {
      if index == 0 && String(decoding: line, as: UTF8.self).contains("bpe_simple_vocab") {
        self = .clip
        return
      }
      let sides = line.split(separator: 0x20)
      guard sides.count >= 2 else { continue }
      if isFirst && !line.starts(with: "#version".utf8) {
        isFirst = false
        if sides.prefix(2).contains(where: { !Self.isCharacter($0) }) {
          self = .prose(line: index + 1)
          return
        }
      }
      marked = marked || sides[1].suffix(4).elementsEqual(EndOfWord.mark)
      spaced = spaced || sides[0].starts(with: space)
    }
    self = marked ? .words : spaced ? .bytes : .either
  }

  /// Whether a symbol is a single character, with or without the mark of the end of a word. What is not well-formed is for
  /// the readers to judge.
  private static func isCharacter(_ symbol: ArraySlice<UInt8>) -> Bool {
    let isMarked = symbol.count >= EndOfWord.mark.count && symbol.suffix(4).elementsEqual(EndOfWord.mark)
    let text = String(decoding: isMarked ? symbol.dropLast(4) : symbol, as: UTF8.self)
    return text.unicodeScalars.count <= 1 || text.contains("\u{fffd}")
  }
}
