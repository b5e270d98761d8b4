import Support

/// Opens a tokenizer in whichever format it is.
package enum TokenizerFile {
  /// `.json` is a tokenizer.json, or a GPT-2 vocab.json with merges.txt beside it; `merges.txt` is GPT-2's, with or
  /// without vocab.json beside it; `.tiktoken` is tiktoken's; anything else holds codes.
  package static func load(_ path: String) throws -> Tokenizer {
    let bytes = try MappedFile.read(path)
    let name = Path.name(of: path)
    if name.hasSuffix(".tiktoken") { return try TiktokenFile.read(bytes, file: path) }
    if name.hasSuffix("merges.txt") {
      let vocabulary = Path.join(Path.directory(of: path), name.dropLast("merges.txt".count) + "vocab.json")
      return try GPT2Files.read(
        merges: bytes, mergesFile: path,
        vocabulary: Path.exists(vocabulary) ? MappedFile.read(vocabulary) : nil, vocabularyFile: vocabulary)
    }
    guard name.hasSuffix(".json") || bytes.first == UInt8(ascii: "{") else {
      return try MergeCodes.read(bytes, file: path)
    }
    if name.hasSuffix("vocab.json") {
      let merges = Path.join(Path.directory(of: path), name.dropLast("vocab.json".count) + "merges.txt")
      if Path.exists(merges) {
        return try GPT2Files.read(
          merges: MappedFile.read(merges), mergesFile: merges, vocabulary: bytes, vocabularyFile: path)
      }
    }
    return try TokenizerJSON.read(bytes, file: path)
  }
}
