import CICU
import Foundation
import Support

/// Detects the character set of text.
enum CharsetDetection {
  /// Bytes of a file that detection looks at.
  static let sampleBytes = 1 << 16

  /// The character set that a byte order mark stands for, and the length of the mark.
  static func byteOrderMark(_ bytes: UnsafeRawBufferPointer) -> (charset: Charset, length: Int)? {
    let marks: [([UInt8], String)] = [
      ([0xef, 0xbb, 0xbf], "utf-8"), ([0xff, 0xfe, 0, 0], "utf-32le"), ([0, 0, 0xfe, 0xff], "utf-32be"),
      ([0xff, 0xfe], "utf-16le"), ([0xfe, 0xff], "utf-16be"),
    ]
    for (mark, name) in marks where bytes.starts(with: mark) {
      return (name == "utf-8" ? .utf8 : Charset(name)!, mark.count)
    }
    return nil
  }

  /// The offset of the first byte that is not plain ASCII: a byte from 0x80 on, ESC, which begins the escape
  /// sequences of ISO 2022, or NUL, which is frequent in UTF-16.
  static func endOfASCII(_ bytes: UnsafeRawBufferPointer) -> Int {
    bytes.firstIndex { $0 >= 0x80 || $0 == 0x1b || $0 == 0 } ?? bytes.count
  }

  /// The character set of a text or of its beginning (then `isWhole` is false and the last character may be
  /// incomplete).
  ///
  /// The first of these decides: a byte order mark; UTF-8, of which a small share may be ill-formed; the
  /// declared character set; ICU's detection.
  static func detect(
    _ bytes: UnsafeRawBufferPointer, isWhole: Bool, declared: Charset? = nil, mayBeWide: Bool = true
  ) throws -> Charset {
    if let mark = byteOrderMark(bytes) { return mark.charset }
    let hasEscapes = bytes.contains { $0 == 0x1b || $0 == 0 }
    if !hasEscapes && isUTF8(bytes, isWhole: isWhole) || isMostlyUTF8(bytes, isWhole: isWhole) {
      return .utf8
    }
    if let declared, declared != .utf8 { return declared }
    if mayBeWide, let wide = try wideCharset(bytes) { return wide }
    let sample = UnsafeRawBufferPointer(rebasing: bytes.prefix(4 * sampleBytes))
    // ASCII words, and especially markup, only dilute the statistics. In ISO 2022, however, every byte is
    // ASCII.
    let foreign = hasEscapes ? Array(sample.prefix(sampleBytes)) : withoutStrayControls(foreignWords(sample))
    return try foreign.withUnsafeBytes { try detect(foreign: $0) }
      ?? (isUTF8(bytes, isWhole: isWhole) ? .utf8 : Charset("windows-1252")!)
  }

  /// Detects the character set of words that are not ASCII.
  ///
  /// ICU's guess counts if it is a multi-byte set. Otherwise Cyrillic and Thai are tried first, because ICU
  /// does not detect half of their character sets.
  private static func detect(foreign: UnsafeRawBufferPointer) throws -> Charset? {
    var guesses = [pkm_charset_guess](repeating: pkm_charset_guess(), count: 16)
    let count = pkm_charset_detect(
      foreign.baseAddress?.assumingMemoryBound(to: UInt8.self), foreign.count, &guesses, guesses.count)
    if count == Int.max { throw Failure.noMemory("to detect a character set") }
    // UTF-16 and UTF-32 are detected by their zeros, and UTF-8 by validation, both more reliable than ICU's
    // guess.
    let guess = guesses[..<count].first { guess in
      guess.confidence >= 10 && !String(cString: guess.name).hasPrefix("UTF-")
    }
    let name = guess.map { String(cString: $0.name) } ?? ""
    let multibyteNames = ["GB18030", "Big5", "EUC-JP", "EUC-KR", "Shift_JIS"]
    let isMultibyte = name.hasPrefix("ISO-2022") || (multibyteNames.contains(name) && guess!.confidence >= 50)
    if !isMultibyte, let charset = try multibyte(foreign) ?? cyrillicOrThai(foreign) { return charset }
    return Charset(name)
  }

  /// Whether the character sets of lines can be detected one by one: the bytes are neither UTF-16 or UTF-32 nor in a
  /// set that switches by escape sequences.
  static func keepsLines(_ bytes: UnsafeRawBufferPointer, mayBeWide: Bool) throws -> Bool {
    if try mayBeWide && wideCharset(bytes) != nil { return false }
    return try !bytes.contains(0x1b) || detect(bytes, isWhole: false, mayBeWide: false).keepsLines
  }

  /// Whether the bytes are UTF-8 with a small share of damage: stray bytes, lines in another character set.
  ///
  /// Characters of two bytes count once, longer ones twice and three times, because other sets seldom have bytes that
  /// look like them; and they must be four times as many as the ill-formed sequences. Measured: in text in other
  /// sets they are at most half as many.
  static func isMostlyUTF8(_ bytes: UnsafeRawBufferPointer, isWhole: Bool = true) -> Bool {
    let (weight, illFormed) = UTF8Repair.measure(bytes, isWhole: isWhole)
    return weight > 0 && weight >= 4 * illFormed
  }

  /// Words with bytes above ASCII, joined by spaces, up to the size of a sample.
  ///
  /// Words end only at characters that are never the trail byte of a multi-byte set.
  private static func foreignWords(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var words: [UInt8] = []
    var start = 0
    var isForeign = false
    for (index, byte) in bytes.enumerated() {
      if byte >= 0x80 {
        isForeign = true
      } else if byte <= 0x20 || byte == 0x22 || byte == 0x2f || (0x3c...0x3e).contains(byte) {
        if isForeign {
          words.append(contentsOf: bytes[start..<index])
          words.append(0x20)
          if words.count >= sampleBytes { break }
        }
        start = index + 1
        isForeign = false
      }
    }
    if isForeign && words.count < sampleBytes { words.append(contentsOf: bytes[start...]) }
    return words
  }

  /// The words without the bytes 0x80 to 0x9f if these are few.
  ///
  /// ICU takes a single one, such as a damaged byte, as a sign of a Windows set in place of an ISO set.
  private static func withoutStrayControls(_ words: [UInt8]) -> [UInt8] {
    let (high, controls) = words.reduce(into: (0, 0)) { counts, byte in
      counts.0 += byte >= 0x80 ? 1 : 0
      counts.1 += (0x80..<0xa0).contains(byte) ? 1 : 0
    }
    return controls * 50 > high ? words : words.filter { !(0x80..<0xa0).contains($0) }
  }

  /// The most frequent characters of Chinese, in both forms.
  private static let frequentHan = Set(
    "的一是不了在人有我他这個个們们中来來上大为為和国國地到以说說時时要就出会會可也你对對生能而子那得于於着著下自之年"
      .unicodeScalars)

  /// Chinese, Japanese or Korean text with so much damage that ICU, which allows 5 % of bad characters, gives up.
  ///
  /// Accepts the set with the least invalid bytes, at most one in ten, if the text has what every longer text of its
  /// language has: kana in Japanese, hardly anything but Hangul in Korean, frequent characters in Chinese.
  private static func multibyte(_ foreign: UnsafeRawBufferPointer) throws -> Charset? {
    let names = ["windows-31j", "euc-jp", "windows-949", "gb18030", "big5-hkscs"]
    let fitting = try names.compactMap { name -> (charset: Charset, invalid: Double)? in
      guard let charset = Charset(name) else { return nil }
      let text = try charset.decode(foreign)
      let invalid = text.count { $0 == 0xff }
      var (all, kana, hangul, frequent) = (0, 0, 0, 0)
      for scalar in String(decoding: text.filter { $0 != 0xff }, as: UTF8.self).unicodeScalars
      where scalar.value >= 0x80 {
        all += 1
        switch scalar.value {
        case 0x3041..<0x3100: kana += 1
        case 0xac00..<0xd7a4: hangul += 1
        default: frequent += frequentHan.contains(scalar) ? 1 : 0
        }
      }
      guard all >= 8, invalid * 10 <= all else { return nil }
      let isPlausible =
        switch name {
        case "windows-31j", "euc-jp": kana * 4 > all
        case "windows-949": hangul * 10 > all * 8
        default: frequent * 100 > all * 7
        }
      return isPlausible ? (charset, Double(invalid) / Double(all)) : nil
    }
    return fitting.min { $0.invalid < $1.invalid }?.charset
  }

  /// The natural logarithm of the frequency in Russian text of each letter, from U+0430 on.
  private static let cyrillic: [Double] = {
    let letters = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъ".unicodeScalars
    let perMille = [
      110, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 16, 16, 15, 12, 10, 9, 7,
      6, 5, 4, 3, 3, 1,
    ]
    var table = [Double](repeating: unlikely, count: 32)
    for (letter, count) in zip(letters, perMille) {
      table[Int(letter.value) - 0x430] = log(Double(count) / 1000)
    }
    return table
  }()

  /// The log frequency assumed for any other character.
  private static let unlikely = -8.0

  private static func cyrillicOrThai(_ foreign: UnsafeRawBufferPointer) throws -> Charset? {
    // In Latin text bytes above ASCII mostly occur singly, in Cyrillic and Thai text in runs.
    var runs = 0
    var isInRun = false
    var high = 0
    for byte in foreign {
      if byte >= 0x80 { high += 1 }
      if byte >= 0x80 && !isInRun { runs += 1 }
      isInRun = byte >= 0x80
    }
    guard runs > 0, high >= 3 * runs else { return nil }
    let names = ["windows-1251", "koi8-r", "iso-8859-5", "ibm866", "ibm855", "x-mac-cyrillic"]
    let best = try names.compactMap { name in
      try Charset(name).map { (charset: $0, likelihood: cyrillicLikelihood(try $0.decode(foreign))) }
    }.max { $0.likelihood < $1.likelihood }
    // Measured: -3.1 to -3.4 for Russian and Bulgarian text in its own character set, at most -3.6 for other
    // scripts.
    if let best, best.likelihood > -3.5 { return best.charset }
    let thai = Charset("windows-874")!
    let text = try thai.decode(foreign)
    guard !text.contains(0xff) else { return nil }
    var (all, inBlock, consonants) = (0, 0, 0)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars where scalar.value >= 0x80 {
      all += 1
      if (0xe01...0xe5b).contains(scalar.value) { inBlock += 1 }
      if (0xe01...0xe2e).contains(scalar.value) { consonants += 1 }
    }
    return inBlock * 100 > all * 97 && consonants * 2 > all ? thai : nil
  }

  /// The mean log frequency of all characters above ASCII.
  ///
  /// A capital after a small letter suggests another character set and lowers the result.
  private static func cyrillicLikelihood(_ text: [UInt8]) -> Double {
    var (sum, count, isAfterSmall) = (0.0, 0, false)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      let value = Int(scalar.value)
      defer { isAfterSmall = (0x430..<0x460).contains(value) }
      guard value >= 0x80 else { continue }
      count += 1
      switch value {
      case 0x410..<0x430: sum += cyrillic[value - 0x410] - (isAfterSmall ? 6 : 1)
      case 0x430..<0x450: sum += cyrillic[value - 0x430]
      default: sum += unlikely
      }
    }
    return count == 0 ? unlikely : sum / Double(count)
  }

  private static func isUTF8(_ bytes: UnsafeRawBufferPointer, isWhole: Bool) -> Bool {
    var end = bytes.count
    if !isWhole {
      // Ignore the last character if it may be incomplete.
      while end > 0, bytes.count - end < 3, bytes[end - 1] & 0xc0 == 0x80 { end -= 1 }
      if end > 0, bytes[end - 1] >= 0xc0 { end -= 1 } else { end = bytes.count }
    }
    return UTF8Repair.isValid(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
  }

  /// Detects UTF-16 and UTF-32 without a byte order mark.
  ///
  /// Returns the candidate in which the sample has the most spaces, line ends and ideographic punctuation,
  /// provided that at most 2 % of its characters are control characters, unassigned or for private use.
  static func wideCharset(_ bytes: UnsafeRawBufferPointer) throws -> Charset? {
    let sample = UnsafeRawBufferPointer(rebasing: bytes.prefix(min(sampleBytes, bytes.count) & ~3))
    // Spaces and line ends, which occur in every language, contain zero bytes in UTF-16 and UTF-32.
    guard sample.contains(0) else { return nil }
    var best: (charset: Charset, common: Int)?
    for name in ["utf-32le", "utf-32be", "utf-16le", "utf-16be"] {
      let charset = Charset(name)!
      let text = try charset.decode(sample)
      let invalid = text.count { $0 == 0xff }
      var (common, strange, all) = (0, invalid, invalid)
      for scalar in String(decoding: text.filter { $0 != 0xff }, as: UTF8.self).unicodeScalars {
        all += 1
        switch scalar.value {
        case 0x09, 0x0a, 0x0d, 0x20, 0x3000...0x3002, 0xff0c: common += 1
        case 0..<0x20, 0x7f..<0xa0, 0xe000..<0xf900: strange += 1
        default: if !pkm_unicode_is_assigned(scalar.value) { strange += 1 }
        }
      }
      if strange * 50 <= all, common > best?.common ?? 0 { best = (charset, common) }
    }
    return best?.charset
  }
}
