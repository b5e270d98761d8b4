import CICU
import CPreTokens

/// The splits of DeepSeek's tokenizers, and the kinds of characters that they tell apart.
enum DeepSeekKinds {
  static let patterns = [
    #"\p{N}{1,3}"#, "[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+",
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
  ]

  /// 0x110000 bytes that live as long as the process.
  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    var isSymbol = [UInt8](repeating: 0, count: 0x110000)
    let isKnown = pkm_unicode_add_flag("[[:P:][:S:]]", 1, &isSymbol)
    precondition(isKnown, "ICU has no general categories")
    for range in ICUPattern.newerSymbols { for point in range { isSymbol[point] = 1 } }
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
    let classes = CharacterClasses.table
    for point in 0..<0x110000 {
      let value =
        switch point {
        case 0x0a, 0x0d: PKM_DEEPSEEK_BREAK
        case 0x41...0x5a, 0x61...0x7a: PKM_DEEPSEEK_ASCII_LETTER
        case 0x4e00...0x9fa5, 0x3040...0x30ff: PKM_DEEPSEEK_CHINESE
        default:
          switch classes[point] {
          case CharacterClass.space: PKM_DEEPSEEK_SPACE
          case CharacterClass.number: PKM_DEEPSEEK_NUMBER
          case CharacterClass.mark: PKM_DEEPSEEK_MARK
          case CharacterClass.other where isSymbol[point] == 0: PKM_DEEPSEEK_REST
          case CharacterClass.other: point < 0x80 ? PKM_DEEPSEEK_ASCII_SYMBOL : PKM_DEEPSEEK_SYMBOL
          default: PKM_DEEPSEEK_LETTER
          }
        }
      table[point] = UInt8(value)
    }
    return UnsafePointer(table)
  }()
}
