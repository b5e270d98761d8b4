import Support

/// Reads and writes a tokenizer in the format that the name of the file tells.
package enum TokenizerFile {
  /// Reads a tokenizer.
  ///
  /// `.json` is a tokenizer.json, or GPT-2's vocab.json with merges.txt beside it. `merges.txt` is GPT-2's,
  /// with or without vocab.json beside it. `.tiktoken` is tiktoken's format. Any other file has codes. gzip
  /// and zstd are recognized by content.
  package static func load(_ path: String) throws -> Tokenizer {
    let bytes = try read(path)
    let name = plainName(of: path)
    if name.hasSuffix(".tiktoken") { return try TiktokenFile.read(bytes, file: path) }
    if name.hasSuffix("merges.txt") {
      let vocabulary = Path.join(Path.directory(of: path), name.dropLast("merges.txt".count) + "vocab.json")
      return try GPT2Files.read(
        merges: bytes, mergesFile: path,
        vocabulary: Path.exists(vocabulary) ? read(vocabulary) : nil, vocabularyFile: vocabulary)
    }
    guard name.hasSuffix(".json") || bytes.first == UInt8(ascii: "{") else {
      return try MergeCodes.read(bytes, file: path)
    }
    if name.hasSuffix("vocab.json") {
      let merges = Path.join(Path.directory(of: path), name.dropLast("vocab.json".count) + "merges.txt")
      if Path.exists(merges) {
        return try GPT2Files.read(
          merges: read(merges), mergesFile: merges, vocabulary: bytes, vocabularyFile: path)
      }
    }
    return try TokenizerJSON.read(bytes, file: path)
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
      let vocabulary = String(path!.dropLast("merges.txt".count)) + "vocab.json"
      return [
        (vocabulary, GPT2Files.writeVocabulary(tokenizer)), (path, GPT2Files.writeMerges(tokenizer)),
      ]
    }
    if plain.hasSuffix(".json") || tokenizer.mode == .byteLevel && plain.isEmpty {
      return [(path, try TokenizerJSON.write(tokenizer))]
    }
    guard tokenizer.mode == .word else {
      throw Failure(
        .usage, "a byte-level tokenizer has no codes", file: path,
        remedy: "Name the output .json, .tiktoken or merges.txt")
    }
    if codes == .fastBPE && tokenizer.endOfWordIsSymbol {
      throw Failure(
        .usage,
        "in codes of subword-nmt's format 0.1 the end of a word is a symbol, which fastBPE does not know",
        remedy: "Write codes of subword-nmt")
    }
    return [(path, MergeCodes.write(tokenizer, format: codes))]
  }
}
