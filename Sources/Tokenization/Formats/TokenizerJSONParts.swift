import Support

/// The components of a tokenizer.json around its model, read from JSON.
struct TokenizerJSONParts {
  let file: String

  func unsupported(_ part: String, remedy: String = "pipelines/README.md lists what is supported") -> Failure
  {
    Failure(.badInput, "\(part) is not supported", file: file, remedy: remedy)
  }

  private func type(_ part: JSONValue) -> String { part["type"]?.string ?? "without a type" }

  // MARK: normalizer

  func normalization(_ part: JSONValue?) throws -> [NormalizationStep] {
    guard let part, !part.isNull else { return [] }
    let type = type(part)
    switch type {
    case "Sequence": return try (part["normalizers"]?.array ?? []).flatMap(normalization)
    case "NFC": return [.nfc]
    case "NFD": return [.nfd]
    case "NFKC": return [.nfkc]
    case "NFKD": return [.nfkd]
    case "Lowercase": return [.lowercase]
    case "StripAccents": return [.stripAccents]
    case "Strip":
      return [.strip(left: part["strip_left"]?.bool ?? true, right: part["strip_right"]?.bool ?? true)]
    case "Prepend": return [.prepend(part["prepend"]?.string ?? "")]
    case "Replace":
      let pattern = try pattern(part, of: "the normalizer Replace")
      if case .regex(let text) = pattern, let reason = ReplacedPattern.refusal(of: text) {
        throw unsupported("the normalizer Replace with the pattern \(text) (ICU says \(reason))")
      }
      return [.replace(pattern, with: part["content"]?.string ?? "")]
    default: throw unsupported("the normalizer \(type)")
    }
  }

  private func pattern(_ part: JSONValue, of name: String) throws -> SplitPattern {
    if let text = part["pattern"]?["String"]?.string { return .literal(text) }
    if let text = part["pattern"]?["Regex"]?.string { return .regex(text) }
    throw unsupported("\(name) without a pattern")
  }

  // MARK: pre_tokenizer

  func preTokenization(_ part: JSONValue?) throws -> [PreTokenizationStep] {
    guard let part, !part.isNull else { return [] }
    let type = type(part)
    switch type {
    case "Sequence": return try (part["pretokenizers"]?.array ?? []).flatMap(preTokenization)
    case "ByteLevel":
      // Both are true by default.
      return [
        .byteLevel(
          addPrefixSpace: part["add_prefix_space"]?.bool ?? true, usesRegex: part["use_regex"]?.bool ?? true)
      ]
    case "Split":
      return [
        .split(
          try pattern(part, of: "the pre_tokenizer Split"), try behavior(part, default: nil),
          invert: part["invert"]?.bool ?? false)
      ]
    case "Digits": return [.digits(individual: part["individual_digits"]?.bool ?? false)]
    case "Punctuation": return [.punctuation(try behavior(part, default: .isolated))]
    case "Whitespace": return [.whitespace]
    case "WhitespaceSplit": return [.whitespaceSplit]
    case "CharDelimiterSplit":
      return [.split(.literal(part["delimiter"]?.string ?? ""), .removed, invert: false)]
    case "Metaspace":
      let (replacement, scheme) = try metaspace(part)
      return [.metaspace(replacement: replacement, prependScheme: scheme, split: part["split"]?.bool ?? true)]
    default: throw unsupported("the pre_tokenizer \(type)")
    }
  }

  private func behavior(_ part: JSONValue, default missing: SplitBehavior?) throws -> SplitBehavior {
    guard let name = part["behavior"]?.string else {
      if let missing { return missing }
      throw unsupported("the pre_tokenizer Split without a behavior")
    }
    guard let behavior = SplitBehavior(rawValue: name) else { throw unsupported("the behavior \(name)") }
    return behavior
  }

  private func metaspace(_ part: JSONValue) throws -> (Unicode.Scalar, PreTokenizationStep.PrependScheme) {
    let text = Array((part["replacement"]?.string ?? "\u{2581}").unicodeScalars)
    guard text.count == 1 else {
      throw unsupported("Metaspace with the replacement \(part["replacement"]?.string ?? "")")
    }
    if let name = part["prepend_scheme"]?.string {
      guard let scheme = PreTokenizationStep.PrependScheme(rawValue: name) else {
        throw unsupported("the prepend_scheme \(name)")
      }
      return (text[0], scheme)
    }
    return (text[0], part["add_prefix_space"]?.bool == false ? .never : .always)
  }

  /// What the steps put into text before they split it.
  func spacing(_ steps: [PreTokenizationStep]) throws -> Spacing {
    for (index, step) in steps.enumerated() {
      switch step {
      case .byteLevel(true, _) where index == 0: return .prefixSpace
      case .byteLevel(true, _):
        throw unsupported("ByteLevel with add_prefix_space behind another pre_tokenizer")
      case .metaspace(let replacement, let scheme, _) where index == 0:
        return .metaspace(replacement: replacement, prependScheme: scheme)
      case .metaspace: throw unsupported("Metaspace behind another pre_tokenizer")
      default: break
      }
    }
    return .none
  }

  // MARK: post_processor

  func postProcessor(_ part: JSONValue?) throws -> PostProcessor? {
    guard let part, !part.isNull else { return nil }
    let (before, after) = try idsAround(part)
    return PostProcessor(before: before, after: after, json: part)
  }

  private func idsAround(_ part: JSONValue) throws -> (before: [UInt32], after: [UInt32]) {
    switch type(part) {
    case "ByteLevel": return ([], [])
    case "RobertaProcessing", "BertProcessing": return (try pair(part["cls"]), try pair(part["sep"]))
    case "Sequence":
      var (before, after): ([UInt32], [UInt32]) = ([], [])
      for processor in part["processors"]?.array ?? [] {
        let (left, right) = try idsAround(processor)
        before = left + before
        after += right
      }
      return (before, after)
    case "TemplateProcessing":
      var (before, after): ([UInt32], [UInt32]) = ([], [])
      var hasText = false
      for piece in part["single"]?.array ?? [] {
        if piece["Sequence"] != nil {
          if hasText { throw unsupported("a TemplateProcessing that repeats the text") }
          hasText = true
        } else if let name = piece["SpecialToken"]?["id"]?.string {
          guard let ids = part["special_tokens"]?[name]?["ids"]?.array?.map(\.count), !ids.contains(nil)
          else {
            throw unsupported("a TemplateProcessing without the ids of \(name)")
          }
          let numbers = ids.compactMap { $0.flatMap { UInt32(exactly: $0) } }
          guard numbers.count == ids.count else {
            throw unsupported("a TemplateProcessing whose ids of \(name) are no natural numbers")
          }
          if hasText { after += numbers } else { before += numbers }
        }
      }
      return (before, after)
    case let type: throw unsupported("the post_processor \(type)")
    }
  }

  /// The id in `["</s>", 2]`.
  private func pair(_ value: JSONValue?) throws -> [UInt32] {
    guard let array = value?.array, array.count == 2, let id = array[1].count.flatMap({ UInt32(exactly: $0) })
    else { throw unsupported("a post_processor without a pair of a token and its id") }
    return [id]
  }

  // MARK: decoder

  func decoding(_ part: JSONValue?) -> [DecodingStep] {
    guard let part, !part.isNull else { return [] }
    switch type(part) {
    case "Sequence": return (part["decoders"]?.array ?? []).flatMap(decoding)
    case "ByteLevel": return [.byteLevel]
    case "ByteFallback": return [.byteFallback]
    case "Fuse": return [.fuse]
    case "BPEDecoder" where part["suffix"]?.string == "</w>": return [.wordSuffix]
    case "Replace":
      guard let pattern = try? pattern(part, of: "Replace"), case .literal = pattern else {
        return [.other(part)]
      }
      return [.replace(pattern, with: part["content"]?.string ?? "")]
    case "Strip":
      guard let text = part["content"]?.string, text.count == 1 else { return [.other(part)] }
      return [.strip(Character(text), start: part["start"]?.count ?? 0, end: part["stop"]?.count ?? 0)]
    case "Metaspace":
      guard let (replacement, scheme) = try? metaspace(part) else { return [.other(part)] }
      return [
        .metaspace(replacement: replacement, prependScheme: scheme, split: part["split"]?.bool ?? true)
      ]
    default: return [.other(part)]
    }
  }
}
