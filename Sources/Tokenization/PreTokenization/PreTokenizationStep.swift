/// One component of the `pre_tokenizer` of a tokenizer.json; in a chain each splits the pieces of the one
/// before.
package enum PreTokenizationStep: Sendable, Equatable {
  /// Splits at the matches of a pattern; with `invert` at what lies between them.
  case split(SplitPattern, SplitBehavior, invert: Bool)
  /// Text as bytes; with `usesRegex` split by GPT-2's pattern. A space in front of the text is the business of
  /// the tokenizer, which changes text before it is split.
  case byteLevel(addPrefixSpace: Bool, usesRegex: Bool)
  /// Digits (`\p{N}`) apart from everything else: runs of them, or each by itself.
  case digits(individual: Bool)
  /// Each character of ASCII punctuation and of `\p{P}` is a match.
  case punctuation(SplitBehavior)
  /// `\w+|[^\w\s]+`; white space is dropped.
  case whitespace
  /// Splits at white space, which is dropped.
  case whitespaceSplit
  /// Splits before each `replacement`, which stands for a space. The tokenizer puts it into the text, and in
  /// front of it, before the text is split.
  case metaspace(replacement: Unicode.Scalar, prependScheme: PrependScheme, split: Bool)

  var isByteLevel: Bool { if case .byteLevel = self { true } else { false } }

  /// As tokenizer.json calls it.
  package var name: String {
    switch self {
    case .split: "Split"
    case .byteLevel: "ByteLevel"
    case .digits: "Digits"
    case .punctuation: "Punctuation"
    case .whitespace: "Whitespace"
    case .whitespaceSplit: "WhitespaceSplit"
    case .metaspace: "Metaspace"
    }
  }

  package enum PrependScheme: String, Sendable {
    case always, never, first
  }
}

package enum SplitPattern: Sendable, Hashable {
  case literal(String)
  /// In the syntax of Oniguruma, which `tokenizers` is built with.
  case regex(String)
}

/// What becomes of the matches of a ``PreTokenizationStep/split(_:_:invert:)``.
package enum SplitBehavior: String, Sendable, CaseIterable {
  case removed = "Removed"
  /// Each match is a piece.
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  /// Successive matches are one piece.
  case contiguous = "Contiguous"
}
