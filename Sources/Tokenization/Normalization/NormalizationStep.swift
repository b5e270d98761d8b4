/// One component of the `normalizer` of a tokenizer.json.
package enum NormalizationStep: Sendable, Equatable {
  case nfc, nfd, nfkc, nfkd
  /// Each character by itself, so that the capital sigma has one small letter.
  case lowercase
  /// Removes the characters of `\p{M}`; only those that stand by themselves, so NFD comes before.
  case stripAccents
  /// Removes white space at the ends.
  case strip(left: Bool, right: Bool)
  case replace(SplitPattern, with: String)
  /// Puts a string before any text that is not empty.
  case prepend(String)
  /// All that a SentencePiece model does; no tokenizer.json has it.
  case sentencePiece(SentencePieceNormalizer)

  /// Whether no step of this kind changes text in ASCII.
  var keepsASCII: Bool {
    switch self {
    case .nfc, .nfd, .nfkc, .nfkd, .stripAccents: true
    case .lowercase, .strip, .prepend, .sentencePiece: false
    case .replace(.literal(let text), _): text.utf8.contains { $0 >= 0x80 }
    case .replace(.regex, _): false
    }
  }
}
