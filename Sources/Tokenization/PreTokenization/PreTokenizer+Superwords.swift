// The units inside of which superwords are learned and applied.
extension PreTokenizer {
  /// How text is split where tokens may cross spaces, for the first-stage patterns that have such a form; nil for others.
  ///
  /// A unit is a run of words, each with the space in front of it, and of single punctuation marks. What the pattern
  /// makes of numbers, of several punctuation marks, of line breaks and of all but one of several spaces stays apart,
  /// as it does in the first stage. So a unit never crosses a line, and no unit begins inside a pre-token of gpt2 or
  /// cl100k. The public implementation (Liu et al., 2025) cuts at numbers, several punctuation marks and several spaces,
  /// and not at single line breaks.
  package var superwords: PreTokenizer? {
    superwordStep.flatMap { try? PreTokenizer(steps: [$0]) }
  }

  var superwordStep: PreTokenizationStep? {
    superwordPattern.map { .split(.regex($0), .isolated, invert: false) }
  }

  /// Matches what stays apart.
  private var superwordPattern: String? {
    switch self {
    case .gpt2: #" ?\p{N}+| ?[^\s\p{L}\p{N}]{2,}|\s+(?!\S)|[\r\n]"#
    case .cl100k:
      #"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n]*| ?[^\s\p{L}\p{N}][\r\n]+|\s+\z|\s*[\r\n]+|\s+(?!\S)"#
    case .o200k:
      #"\p{N}{1,3}| ?[^\s\p{L}\p{N}\p{M}]{2,}[^\s\p{L}\p{N}]*[\r\n/]*| ?[^\s\p{L}\p{N}\p{M}][\r\n/]+|\s*[\r\n]+|\s+(?!\S)"#
    default: nil
    }
  }
}
