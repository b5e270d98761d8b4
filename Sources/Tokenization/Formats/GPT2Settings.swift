import Support

/// What `merges.txt` and `vocab.json` do not hold, in `tokenizer_config.json` beside them: how text is cut.
///
/// The member `pre_tokenizer` is that of a tokenizer.json. Without it the class of a model in the library `transformers`
/// tells the pattern.
enum GPT2Settings {
  static let fileName = "tokenizer_config.json"

  static func write(_ tokenizer: Tokenizer) -> [UInt8] {
    var json = JSONWriter()
    json.object(.lines) { json in
      json.member("tokenizer_class", "PreTrainedTokenizerFast")
      json.key("pre_tokenizer")
      TokenizerJSONParts.write(tokenizer.preTokenizationSteps, to: &json)
    }
    return json.bytes + [0x0a]
  }

  /// Throws if the file is one of another program.
  static func checkReplaceable(_ path: String) throws {
    guard Path.exists(path) else { return }
    guard let settings = try? JSONValue(parsing: MappedFile.read(path)), settings["pre_tokenizer"] != nil
    else {
      throw Failure(
        .usage, "exists, and is not replaced, because another program wrote it", file: path,
        remedy: "Write to another directory, or with a name such as NAME-merges.txt")
    }
  }

  static func apply(_ bytes: [UInt8], file: String, to tokenizer: inout Tokenizer) throws {
    let settings = try JSONValue(parsing: bytes, file: file)
    if let part = settings["pre_tokenizer"] {
      let steps = try TokenizerJSONParts(file: file).preTokenization(part)
      tokenizer.preTokenizer = try PreTokenizer(steps: steps)
      tokenizer.spacing = try TokenizerJSONParts(file: file).spacing(steps)
      return
    }
    var name = settings["tokenizer_class"]?.string ?? "none"
    if name.hasSuffix("Fast") { name.removeLast(4) }
    switch name {
    case "GPT2Tokenizer", "RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "WhisperTokenizer":
      if settings["add_prefix_space"]?.bool == true { tokenizer.spacing = .prefixSpace }
    case "Qwen2Tokenizer":
      tokenizer.preTokenizer = .qwen2
      tokenizer.normalization = [.nfc]
    default:
      Log.warn("\(file): the class \(name) does not tell the pattern of its merges: gpt2's is taken")
    }
  }
}
