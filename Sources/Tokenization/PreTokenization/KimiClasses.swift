import CICU
import CPreTokens

/// The classes of characters that Kimi's pattern tells apart.
enum KimiClasses {
  /// The pattern through ICU, for text with characters of `\p{Han}` that are no letters: what they belong to depends on
  /// what is before them. Most frequent is U+3007, the digit zero.
  static let program: SplitProgram = {
    let step = PreTokenizationStep.split(.regex(PreTokenizer.kimi.pattern!), .isolated, invert: false)
    guard let program = try? SplitProgram([step]) else { preconditionFailure("ICU does not take a pattern") }
    return program
  }()

  /// ``CharacterClasses/table`` with classes for the letters of `\p{Han}` and for its other characters: 0x110000 bytes that
  /// live as long as the process.
  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    var isHan = [UInt8](repeating: 0, count: 0x110000)
    let isKnown = pkm_unicode_add_flag("\\p{Han}", 1, &isHan)
    precondition(isKnown, "ICU has no scripts")
    for range in ICUPattern.newerHan { for point in range { isHan[point] = 1 } }
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
    let classes = CharacterClasses.table
    for point in 0..<0x110000 {
      let han = CharacterClass.isLetter(classes[point]) ? PKM_CLASS_CHINESE : PKM_CLASS_RARE
      table[point] = isHan[point] == 1 ? UInt8(han) : classes[point]
    }
    return UnsafePointer(table)
  }()
}
