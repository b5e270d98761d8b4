import CICU
import Corpus
import TestSupport
import Testing

/// Compares the fast path with ICU, which gets each word as a whole, for every code point of Unicode, alone
/// and between characters that may affect it.
@Suite(.long, .timeLimit(.minutes(60))) struct NormalizerCodePointTests {
  typealias Form = NormalizationOptions.Form

  /// The surroundings of the character: a letter that takes accents, marks of two combining classes.
  private static let surroundings: [(before: [UInt32], after: [UInt32])] = [
    ([], []), ([0x65], []), ([], [0x301]), ([0x65, 0x301], [0x323]),
  ]

  /// One word per line: each of these characters in each surrounding.
  private static func words(_ characters: some Sequence<UInt32>) -> [UInt8] {
    var text: [UInt8] = []
    for value in characters {
      for (before, after) in surroundings { text += [UInt8](text: before + [value] + after) + [0x0a] }
    }
    return text
  }

  private static let characters = (UInt32(0)...0x10ffff).filter { Unicode.Scalar($0) != nil }
  /// A few unassigned and private-use code points represent all of them.
  private static let all = words(
    characters.filter { value in
      value % 64 == 0 || value % 64 == 63
        || pkm_unicode_is_assigned(value) && Unicode.Scalar(value)!.properties.generalCategory != .privateUse
    })

  private static let settings: [NormalizationOptions] = Form.allCases.flatMap { form in
    [
      NormalizationOptions(form: form, cleansWhitespace: false, cleansControls: false),
      NormalizationOptions(
        form: form, letterCase: .lower, stripsAccents: true, plainsPunctuation: true,
        cleansWhitespace: false),
    ]
  }

  @Test(arguments: settings) func fastPathAgreesWithICU(options: NormalizationOptions) throws {
    let fast = try Normalizer(options).normalize(Self.all)
    var options = options
    options.usesFastPath = false
    let slow = try Normalizer(options).normalize(Self.all)
    let isEqual = fast == slow
    #expect(isEqual, "\(Self.firstDifference(fast, slow))")
  }

  private static func firstDifference(_ a: [UInt8], _ b: [UInt8]) -> String {
    let (left, right) = (a.split(separator: 0x0a), b.split(separator: 0x0a))
    for (a, b) in zip(left, right) where a != b {
      let codes = [a, b].map { line in
        String(decoding: line, as: UTF8.self).unicodeScalars.map { String($0.value, radix: 16) }
          .joined(separator: " ")
      }
      return "\(codes[0]) against \(codes[1])"
    }
    return "\(left.count) lines against \(right.count)"
  }
}
