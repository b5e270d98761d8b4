import Support

// The components written as the library writes them.
extension TokenizerJSONParts {
  static func write(_ steps: [NormalizationStep], to json: inout JSONWriter) {
    writeChain(steps, "normalizers", to: &json) { step, json in
      switch step {
      case .nfc: json.member("type", "NFC")
      case .nfd: json.member("type", "NFD")
      case .nfkc: json.member("type", "NFKC")
      case .nfkd: json.member("type", "NFKD")
      case .lowercase: json.member("type", "Lowercase")
      case .stripAccents: json.member("type", "StripAccents")
      case .strip(let left, let right):
        json.member("type", "Strip")
        json.member("strip_left", left)
        json.member("strip_right", right)
      case .replace(let pattern, let content): writeReplace(pattern, content, to: &json)
      case .prepend(let text):
        json.member("type", "Prepend")
        json.member("prepend", text)
      case .sentencePiece: json.member("type", "Precompiled")  // Refused before.
      }
    }
  }

  static func write(_ steps: [PreTokenizationStep], to json: inout JSONWriter) {
    writeChain(steps, "pretokenizers", to: &json) { step, json in
      switch step {
      case .split(let pattern, let behavior, let invert):
        json.member("type", "Split")
        write(pattern, to: &json)
        json.member("behavior", behavior.rawValue)
        json.member("invert", invert)
      case .byteLevel(let addPrefixSpace, let usesRegex):
        json.member("type", "ByteLevel")
        json.member("add_prefix_space", addPrefixSpace)
        json.member("trim_offsets", true)
        json.member("use_regex", usesRegex)
      case .digits(let individual):
        json.member("type", "Digits")
        json.member("individual_digits", individual)
      case .punctuation(let behavior):
        json.member("type", "Punctuation")
        json.member("behavior", behavior.rawValue)
      case .whitespace: json.member("type", "Whitespace")
      case .whitespaceSplit: json.member("type", "WhitespaceSplit")
      case .metaspace(let replacement, let scheme, let split):
        writeMetaspace(replacement, scheme, split: split, to: &json)
      }
    }
  }

  static func write(_ steps: [DecodingStep], to json: inout JSONWriter) {
    if case .other(let part)? = steps.first, steps.count == 1 { return write(part, to: &json) }
    if steps.isEmpty { return json.null() }
    func member(_ step: DecodingStep, _ json: inout JSONWriter) {
      if case .other(let part) = step { return write(part, to: &json) }
      json.object(.spaced) { write(step, to: &$0) }
    }
    if steps.count == 1 { return member(steps[0], &json) }
    json.object(.spaced) { json in
      json.member("type", "Sequence")
      json.key("decoders")
      json.array(.spaced) { json in for step in steps { member(step, &json) } }
    }
  }

  private static func write(_ step: DecodingStep, to json: inout JSONWriter) {
    switch step {
    case .byteLevel: write(.byteLevel(addPrefixSpace: false, usesRegex: true), to: &json)
    case .byteFallback: json.member("type", "ByteFallback")
    case .fuse: json.member("type", "Fuse")
    case .replace(let pattern, let content): writeReplace(pattern, content, to: &json)
    case .strip(let character, let start, let end):
      json.member("type", "Strip")
      json.member("content", String(character))
      json.member("start", start)
      json.member("stop", end)
    case .metaspace(let replacement, let scheme, let split):
      writeMetaspace(replacement, scheme, split: split, to: &json)
    case .wordSuffix:
      json.member("type", "BPEDecoder")
      json.member("suffix", "</w>")
    case .other: break
    }
  }

  private static func write(_ step: PreTokenizationStep, to json: inout JSONWriter) {
    guard case .byteLevel(let addPrefixSpace, let usesRegex) = step else { return }
    json.member("type", "ByteLevel")
    json.member("add_prefix_space", addPrefixSpace)
    json.member("trim_offsets", true)
    json.member("use_regex", usesRegex)
  }

  private static func writeMetaspace(
    _ replacement: Unicode.Scalar, _ scheme: PreTokenizationStep.PrependScheme, split: Bool,
    to json: inout JSONWriter
  ) {
    json.member("type", "Metaspace")
    json.member("replacement", String(replacement))
    json.member("prepend_scheme", scheme.rawValue)
    json.member("split", split)
  }

  private static func writeReplace(_ pattern: SplitPattern, _ content: String, to json: inout JSONWriter) {
    json.member("type", "Replace")
    write(pattern, to: &json)
    json.member("content", content)
  }

  private static func write(_ pattern: SplitPattern, to json: inout JSONWriter) {
    json.key("pattern")
    json.object(.spaced) { json in
      switch pattern {
      case .literal(let text): json.member("String", text)
      case .regex(let text): json.member("Regex", text)
      }
    }
  }

  /// Null, one component, or a Sequence of several.
  private static func writeChain<Step>(
    _ steps: [Step], _ name: String, to json: inout JSONWriter, _ write: (Step, inout JSONWriter) -> Void
  ) {
    if steps.isEmpty { return json.null() }
    if steps.count == 1 { return json.object(.spaced) { write(steps[0], &$0) } }
    json.object(.spaced) { json in
      json.member("type", "Sequence")
      json.key(name)
      json.array(.spaced) { json in
        for step in steps { json.object(.spaced) { write(step, &$0) } }
      }
    }
  }

  /// Any JSON as it was read.
  static func write(_ value: JSONValue, to json: inout JSONWriter) {
    switch value {
    case .null: json.null()
    case .bool(let value): json.value(value)
    case .number(let value):
      if let whole = Int(exactly: value) { json.value(whole) } else { json.value(value) }
    case .string(let bytes): json.value { out in bytes.withUnsafeBytes { JSONText.quote($0, into: &out) } }
    case .array(let values): json.array(.spaced) { json in for value in values { write(value, to: &json) } }
    case .object(let members):
      json.object(.spaced) { json in
        for member in members {
          json.key { out in member.key.withUnsafeBytes { JSONText.quote($0, into: &out) } }
          write(member.value, to: &json)
        }
      }
    }
  }
}
