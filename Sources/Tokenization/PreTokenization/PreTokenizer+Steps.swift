import Support

// Pre-tokenizers as the components of a tokenizer.json.

extension PreTokenizer {
  /// The pre-tokenizer that does what a chain of components does.
  ///
  /// The well-known chains have kernels, and any other runs through ICU. Throws a ``Failure`` that names the component
  /// which is not supported.
  init(steps: [PreTokenizationStep], syntax: ICUPattern.Syntax) throws {
    var steps = steps
    // A space before the text is added to the text before it comes here, and only the first component can do
    // it without adding it to every piece.
    for (index, step) in steps.enumerated() {
      guard case .byteLevel(true, let usesRegex) = step else { continue }
      guard index == 0 else {
        throw Failure(
          .badInput, "ByteLevel with add_prefix_space after another pre_tokenizer is not supported",
          remedy: "It adds a space to every piece; only the first pre_tokenizer can have it here")
      }
      steps[index] = .byteLevel(addPrefixSpace: false, usesRegex: usesRegex)
    }
    // Without its pattern ByteLevel does not split, but what follows it splits the letters that stand for bytes.
    let plain = PreTokenizationStep.byteLevel(addPrefixSpace: false, usesRegex: false)
    while steps.last == plain { steps.removeLast() }
    let wanted = steps.map(Self.normalized)
    let known = Self.allCases.first { $0 != .words && $0.splits.map(Self.normalized) == wanted }
    if let known {
      self = known
      return
    }
    self = .program(try SplitProgram(steps, syntax))
  }

  /// The same with patterns in the syntax of tokenizer.json.
  package init(steps: [PreTokenizationStep]) throws { try self.init(steps: steps, syntax: .oniguruma) }

  /// The components of a tokenizer.json that split text this way, the last one ByteLevel where text becomes
  /// bytes.
  package var steps: [PreTokenizationStep] {
    switch self {
    case .gpt2, .digits, .digitRuns, .words: splits
    case .program(let program): program.steps
    default: splits + [.byteLevel(addPrefixSpace: false, usesRegex: false)]
    }
  }

  /// The steps that split.
  private var splits: [PreTokenizationStep] {
    switch self {
    case .gpt2: [.byteLevel(addPrefixSpace: false, usesRegex: true)]
    case .none, .cuts: []
    case .program(let program): program.steps
    case .words: [.split(.regex(pattern!), .removed, invert: false)]
    case .deepseek: DeepSeekClasses.patterns.map { .split(.regex($0), .isolated, invert: false) }
    case .digits, .digitRuns:
      [.digits(individual: self == .digits), .byteLevel(addPrefixSpace: false, usesRegex: true)]
    default: [.split(.regex(pattern!), .isolated, invert: false)]
    }
  }

  /// The same step written in one way, where the known patterns can be written in several.
  private static func normalized(_ step: PreTokenizationStep) -> PreTokenizationStep {
    switch step {
    // The known patterns match every character, so nothing is removed; but those of DeepSeek do not.
    case .split(.regex(let pattern), .removed, invert: true)
    where !DeepSeekClasses.patterns.contains(pattern),
      .split(.regex(let pattern), .isolated, _):
      pattern == gpt2Pattern
        ? .byteLevel(addPrefixSpace: false, usesRegex: true)
        : .split(.regex(withEscapedLineBreaks(pattern)), .isolated, invert: false)
    default: step
    }
  }

  /// By scalars, because "\r\n" is one `Character`.
  private static func withEscapedLineBreaks(_ pattern: String) -> String {
    pattern.unicodeScalars.reduce(into: "") { escaped, scalar in
      switch scalar {
      case "\r": escaped += #"\r"#
      case "\n": escaped += #"\n"#
      default: escaped.unicodeScalars.append(scalar)
      }
    }
  }

  /// The pattern of ``gpt2`` in the syntax of the `tokenizers` library.
  package static let gpt2Pattern =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
}
