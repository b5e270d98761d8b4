import Support

/// A directory that holds the files of one tokenizer, as models are shipped.
enum TokenizerDirectory {
  /// The file to read: tokenizer.json, or else the only one of another kind.
  static func file(in directory: String) throws -> String {
    let names = try SystemCall.names(in: directory).sorted()
    if names.contains("tokenizer.json") { return Path.join(directory, "tokenizer.json") }
    let found = names.filter { name in
      let name = TokenizerFile.plainName(of: name)
      return ["merges.txt", "vocab.bpe", "tokenizer.model", "tekken.json"].contains {
        name == $0 || name.hasSuffix("-" + $0)
      }
        || name.hasSuffix(".tiktoken") || name.hasSuffix(".codes")
    }
    guard let first = found.first else {
      throw Failure(
        .badInput, "holds no tokenizer", file: directory,
        remedy:
          "Name a directory with tokenizer.json, merges.txt, vocab.bpe, tokenizer.model, tekken.json or a .tiktoken "
          + "file")
    }
    guard found.count == 1 else {
      throw Failure(
        .usage, "holds several tokenizers: \(found.joined(separator: ", "))", file: directory,
        remedy: "Name one of them")
    }
    return Path.join(directory, first)
  }
}
