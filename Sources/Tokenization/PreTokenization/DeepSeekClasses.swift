import CICU
import CPreTokens

/// The splits of DeepSeek's tokenizers, and the classes of characters that they tell apart.
enum DeepSeekClasses {
  static let patterns = [
    #"\p{N}{1,3}"#, "[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+",
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
  ]

  /// ``CharacterClasses/table`` with punctuation and symbols, and with Chinese characters and kana, as classes of their
  /// own: 0x110000 bytes that live as long as the process.
  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    var isSymbol = [UInt8](repeating: 0, count: 0x110000)
    let isKnown = pkm_unicode_add_flag("[[:P:][:S:]]", 1, &isSymbol)
    precondition(isKnown, "ICU has no general categories")
    for range in ICUPattern.newerSymbols { for point in range { isSymbol[point] = 1 } }
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
    let classes = CharacterClasses.table
    for point in 0..<0x110000 {
      let isChinese = (0x4e00...0x9fa5).contains(point) || (0x3040...0x30ff).contains(point)
      let isSymbol = classes[point] == CharacterClass.other && isSymbol[point] == 1
      table[point] =
        isChinese
        ? UInt8(PKM_CLASS_CHINESE) : isSymbol ? UInt8(PKM_CLASS_SYMBOL) : classes[point]
    }
    return UnsafePointer(table)
  }()
}
