import Foundation
import Support

/// Counts of words as text, one word per line: what `count-words` writes and `learn-bpe --counts` reads.
///
/// - Pre-tokens: the word, a tab, its count. In the word `\\` is a backslash, `\t` `\n` `\r` stand for tab,
///   line feed and carriage return, and `\xHH` for any other byte below 0x20, the byte 0x7F, and bytes that
///   are not well-formed UTF-8; so every byte string is a line of valid UTF-8. The first line is
///   `#pre-tokenizer`, a tab, and its name.
/// - Words of word mode: the word as it is, a space, its count, as `getvocab` of subword-nmt and fastBPE
///   write them.
///
/// Each line shows which form it has: after its last tab, or else its last space, there is a number and
/// nothing else. The order of the lines has no meaning, and the counts of a word on several lines add up, so
/// `cat` merges files. Files written here are in the order of the bytes of the words.
package enum WordCountFile {
  /// Appends the line of a word.
  package static func append(
    _ word: UnsafeBufferPointer<UInt8>, count: Int, isPlain: Bool, to out: inout [UInt8]
  ) {
    if isPlain {
      out.append(contentsOf: word)
      out.append(0x20)
    } else {
      escape(word, into: &out)
      out.append(0x09)
    }
    appendDecimal(count, to: &out)
    out.append(0x0a)
  }

  /// The first line of a file of pre-tokens.
  package static func header(_ preTokenizer: PreTokenizer) -> [UInt8] {
    Array("\(headerStart)\(preTokenizer.rawValue)\n".utf8)
  }

  /// Whether a file, compressed or not, begins with that line.
  package static func isNamed(atStartOf path: String) -> Bool {
    var start = [UInt8](repeating: 0, count: headerStart.utf8.count)
    let count = try? start.withUnsafeMutableBytes { try InputFile(path).readSome(into: $0) }
    return count == start.count && start.elementsEqual(headerStart.utf8)
  }

  static let headerStart = "#pre-tokenizer\t"

  private static func appendDecimal(_ value: Int, to out: inout [UInt8]) {
    if value >= 10 { appendDecimal(value / 10, to: &out) }
    out.append(UInt8(truncatingIfNeeded: 0x30 + value % 10))
  }

  private static func escape(_ word: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]) {
    // Where the bytes begin that need no escape and are not yet written.
    var start = 0
    var index = 0
    while index < word.count {
      let byte = word[index]
      if byte >= 0x20 && byte < 0x7f && byte != UInt8(ascii: "\\") {
        index += 1
        continue
      }
      let length = byte < 0x80 ? 0 : characterLength(word, at: index)
      if length > 0 {
        index += length
        continue
      }
      out.append(contentsOf: UnsafeBufferPointer(rebasing: word[start..<index]))
      index += 1
      start = index
      out.append(UInt8(ascii: "\\"))
      switch byte {
      case UInt8(ascii: "\\"): out.append(byte)
      case 0x09: out.append(UInt8(ascii: "t"))
      case 0x0a: out.append(UInt8(ascii: "n"))
      case 0x0d: out.append(UInt8(ascii: "r"))
      default: out.append(contentsOf: "x\(Hashing.hexadecimal([byte]))".utf8)
      }
    }
    out.append(contentsOf: UnsafeBufferPointer(rebasing: word[start...]))
  }

  /// The length of the well-formed character of more than one byte at `index`, or 0 (Unicode 15, table 3-7).
  private static func characterLength(_ word: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
    let first = word[index]
    let length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
    guard length > 0, index + length <= word.count else { return 0 }
    for offset in 1..<length where word[index + offset] & 0xc0 != 0x80 { return 0 }
    let second = word[index + 1]
    switch first {
    case 0xe0: return second >= 0xa0 ? length : 0
    case 0xed: return second < 0xa0 ? length : 0
    case 0xf0: return second >= 0x90 ? length : 0
    case 0xf4: return second < 0x90 ? length : 0
    default: return length
    }
  }

  /// Reverses ``escape(_:into:)``; returns false if an unknown character follows a backslash.
  static func unescape(_ text: ArraySlice<UInt8>, into word: inout [UInt8]) -> Bool {
    word.removeAll(keepingCapacity: true)
    var index = text.startIndex
    while index < text.endIndex {
      let byte = text[index]
      index += 1
      if byte != UInt8(ascii: "\\") {
        word.append(byte)
        continue
      }
      guard index < text.endIndex else { return false }
      let letter = text[index]
      index += 1
      switch letter {
      case UInt8(ascii: "\\"): word.append(letter)
      case UInt8(ascii: "t"): word.append(0x09)
      case UInt8(ascii: "n"): word.append(0x0a)
      case UInt8(ascii: "r"): word.append(0x0d)
      case UInt8(ascii: "x"):
        guard text.endIndex - index >= 2,
          let value = UInt8(String(decoding: text[index..<(index + 2)], as: UTF8.self), radix: 16)
        else { return false }
        word.append(value)
        index += 2
      default: return false
      }
    }
    return true
  }
}
