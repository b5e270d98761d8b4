import Support
import Tokenization

/// The parts of a tokenizer in words, one line for each step, with white space made visible.
struct TokenizerDescription {
  private let tokenizer: Tokenizer

  init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

  var mode: String {
    var text = tokenizer.mode.rawValue
    if tokenizer.byteFallback { text += ", a character without a token is its bytes" }
    if tokenizer.fusesUnknown { text += ", unknown characters are fused" }
    if tokenizer.ignoresMerges { text += ", a pre-token that is a token is not merged" }
    if tokenizer.mode == .byteLevel && tokenizer.listedCount < tokenizer.vocabulary.count {
      text += ", \(tokenizer.vocabulary.count - tokenizer.listedCount) bytes have no token"
    }
    return text
  }

  var normalizer: String {
    Self.lines(
      tokenizer.normalization.map { step in
        switch step {
        case .nfc: "NFC"
        case .nfd: "NFD"
        case .nfkc: "NFKC"
        case .nfkd: "NFKD"
        case .lowercase: "Lowercase"
        case .stripAccents: "StripAccents"
        case .strip(let left, let right): "Strip\(left ? " left" : "")\(right ? " right" : "")"
        case .replace(let pattern, let text): "Replace \(Self.shown(pattern)) by \(Self.visible(text))"
        case .sentencePiece: "SentencePiece: its map of characters, and ▁ for spaces"
        case .prepend(let text): "Prepend \(Self.visible(text))"
        }
      })
  }

  var preTokenizer: String {
    let name = tokenizer.preTokenizer.rawValue
    let steps = tokenizer.preTokenizationSteps.map { step in
      switch step {
      case .split(let pattern, let behavior, let isInverted):
        "Split \(isInverted ? "outside of " : "")\(Self.shown(pattern)), \(behavior.rawValue)"
      case .byteLevel(let addsSpace, let usesRegex):
        "ByteLevel" + (usesRegex ? " with the pattern of gpt2" : "")
          + (addsSpace ? ", a space before the text" : "")
      case .digits(let individual): individual ? "Digits, each alone" : "Digits, in runs"
      case .punctuation(let behavior): "Punctuation, \(behavior.rawValue)"
      case .whitespace: "Whitespace"
      case .whitespaceSplit: "WhitespaceSplit"
      case .metaspace(let replacement, let scheme, let splits):
        "Metaspace \(Self.visible(String(replacement))) for a space, prepended: \(scheme.rawValue)"
          + (splits ? "" : ", without splitting")
      }
    }
    return Self.lines([name] + steps)
  }

  var postProcessor: String {
    guard let processor = tokenizer.postProcessor else { return "none" }
    func names(_ ids: [UInt32]) -> String {
      ids.map { id in id < tokenizer.vocabulary.count ? Self.visible(tokenizer.vocabulary[id]) : "\(id)" }
        .joined(separator: " ")
    }
    if processor.before.isEmpty && processor.after.isEmpty { return "adds nothing" }
    return "with --add-special: \(names(processor.before)) text \(names(processor.after))"
  }

  var decoder: String {
    Self.lines(
      tokenizer.decodingSteps.map { step in
        switch step {
        case .byteLevel: "ByteLevel"
        case .byteFallback: "ByteFallback"
        case .fuse: "Fuse"
        case .replace(let pattern, let text): "Replace \(Self.shown(pattern)) by \(Self.visible(text))"
        case .strip(let character, let start, let end):
          "Strip \(Self.visible(String(character))), \(start) at the start, \(end) at the end"
        case .metaspace(let replacement, let scheme, _):
          "Metaspace \(Self.visible(String(replacement))), prepended: \(scheme.rawValue)"
        case .wordSuffix: "a space for </w>"
        case .other(let part): "\(part["type"]?.string ?? "?") (not supported)"
        }
      })
  }

  var specialTokens: String { Self.list(tokenizer.specialTokens) }

  /// Nil if all are special.
  var addedTokens: String? {
    let added = tokenizer.addedTokens.filter { !$0.isSpecial }
    return added.isEmpty ? nil : Self.list(added)
  }

  private static func list(_ tokens: [AddedToken]) -> String {
    func line(_ token: AddedToken) -> String {
      var flags: [String] = []
      if token.isSingleWord { flags.append("single_word") }
      if token.stripsLeft { flags.append("lstrip") }
      if token.stripsRight { flags.append("rstrip") }
      if token.isNormalized { flags.append("normalized") }
      return "\(visible(token.text)) \(token.id)"
        + (flags.isEmpty ? "" : " (\(flags.joined(separator: ", ")))")
    }
    if tokens.count <= 16 { return lines(tokens.map(line)) }
    return lines(
      tokens.prefix(10).map(line) + ["and \(tokens.count - 12) more"] + tokens.suffix(2).map(line))
  }

  private static func lines(_ lines: [String]) -> String {
    lines.isEmpty ? "none" : lines.joined(separator: "\n")
  }

  private static func shown(_ pattern: SplitPattern) -> String {
    switch pattern {
    case .literal(let text): visible(text)
    case .regex(let text): "/" + spaced(text) + "/"
    }
  }

  static func visible(_ bytes: [UInt8]) -> String { visible(String(decoding: bytes, as: UTF8.self)) }

  /// In quotation marks, with `␣` for a space and escapes for other white space.
  static func visible(_ text: String) -> String { "\"" + spaced(text) + "\"" }

  private static func spaced(_ text: String) -> String {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case " ": "␣"
      case "\n": "\\n"
      case "\r": "\\r"
      case "\t": "\\t"
      default:
        scalar.properties.isWhitespace ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
      }
    }.joined()
  }
}
