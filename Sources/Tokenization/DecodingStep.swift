import Support

/// One component of the `decoder` of a tokenizer.json.
package enum DecodingStep: Sendable, Equatable {
  /// The characters of ``ByteAlphabet`` become bytes.
  case byteLevel
  /// `<0x00>` to `<0xFF>` become bytes.
  case byteFallback
  /// The texts of all tokens become one; the steps behind it are for the whole.
  case fuse
  case replace(SplitPattern, with: String)
  /// Removes up to so many of a character at the ends.
  case strip(Character, start: Int, end: Int)
  /// The replacement becomes a space, and nothing in the first token unless the scheme is never.
  case metaspace(replacement: Unicode.Scalar, prependScheme: PreTokenizationStep.PrependScheme, split: Bool)
  /// The mark of the end of a word becomes a space.
  case wordSuffix
  /// A component that is not supported, which only decoding needs.
  case other(JSONValue)
}

extension DecodingStep {
  /// The text of a token after the steps that look at each token by itself.
  static func text(of token: [UInt8], _ steps: [DecodingStep]) -> [UInt8] {
    var text = token
    for step in steps {
      switch step {
      case .byteLevel: text = ByteAlphabet.decode(text) ?? text
      case .byteFallback: text = byte(text).map { [$0] } ?? text
      case .fuse: return text
      case .replace(.literal(let pattern), let replacement):
        text = replacing(Array(pattern.utf8), Array(replacement.utf8), text)
      case .metaspace(let replacement, _, _): text = replacing(Array(String(replacement).utf8), [0x20], text)
      case .strip(let character, let start, let end):
        let range = text.withUnsafeBufferPointer {
          TextEnds.strip(Array(String(character).utf8), start, end, $0)
        }
        text = Array(text[range])
      case .replace(.regex, _), .wordSuffix, .other: break
      }
    }
    return text
  }

  private static func replacing(_ pattern: [UInt8], _ replacement: [UInt8], _ text: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    text.withUnsafeBufferPointer { TextNormalizer.replace(pattern, with: replacement, in: $0, into: &out) }
    return out
  }

  /// The byte that `<0x0A>` stands for.
  static func byte(_ token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: Array("<0x".utf8)), token[5] == UInt8(ascii: ">") else {
      return nil
    }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }
}
