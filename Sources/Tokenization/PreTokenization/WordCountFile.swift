import Foundation
import Support

/// Counts of words as text, a word a line: what `count-words` writes and `learn-bpe --counts` reads.
///
/// - Pre-tokens: the word, a tab, its count. In the word `\\` is a backslash, `\t` `\n` `\r` stand for tab, line feed and
///   carriage return, and `\xHH` for any other byte below 0x20, the byte 0x7F, and bytes that are not well-formed
///   UTF-8; so every byte string is a line of valid UTF-8. The first line is `#pre-tokenizer`, a tab, and its name.
/// - Words of word mode: the word as it is, a space, its count: the form of subword-nmt's and fastBPE's `getvocab`.
///
/// A line says itself which it is: behind its last tab, or else its last space, stands a number and nothing else. The
/// order of lines means nothing, and a word may occur on several, whose counts add up; so files are also merged by
/// `cat`. Ours are in the order of the words' bytes.
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

  fileprivate static let headerStart = "#pre-tokenizer\t"

  private static func appendDecimal(_ value: Int, to out: inout [UInt8]) {
    if value >= 10 { appendDecimal(value / 10, to: &out) }
    out.append(UInt8(truncatingIfNeeded: 0x30 + value % 10))
  }

  private static func escape(_ word: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]) {
    // Where the bytes begin that stand for themselves and are not yet written.
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

  /// Bytes of the well-formed character of more than one byte at `index`, or 0 (Unicode 15, table 3-7).
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

  /// Reverses ``escape``; nil where a backslash is followed by nothing known.
  fileprivate static func unescape(_ text: ArraySlice<UInt8>, into word: inout [UInt8]) -> Bool {
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

/// The lines of a file of word counts, compressed or not.
package final class WordCountReader {
  package let path: String
  /// What the file says of its pre-tokenizer, as far as it was read.
  package private(set) var preTokenizer: PreTokenizer?
  /// The word of the line read last, and its count.
  package private(set) var word: [UInt8] = []
  package private(set) var count = 0

  private let input: InputFile
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)
  private var next = 0
  private var filled = 0
  private var line: [UInt8] = []
  private var lineNumber = 0

  package init(_ path: String) throws {
    self.path = path
    input = try InputFile(path)
  }

  /// Reads the next word, or returns false at the end.
  ///
  /// A line that is none throws; blank lines do not.
  package func advance() throws -> Bool {
    while try readLine() {
      lineNumber += 1
      if line.last == 0x0d && line.count == 1 || line.isEmpty { continue }
      if line.starts(with: WordCountFile.headerStart.utf8), try readHeader() { continue }
      try parse()
      return true
    }
    if let damage = input.damage {
      throw Failure(.badInput, damage.reason, file: path, offset: damage.offset)
    }
    return false
  }

  private func readLine() throws -> Bool {
    line.removeAll(keepingCapacity: true)
    while true {
      if next == filled {
        next = 0
        filled = try buffer.withUnsafeMutableBytes { try input.readSome(into: $0) }
        if filled == 0 { return !line.isEmpty }
      }
      let end = buffer[next..<filled].firstIndex(of: 0x0a)
      line.append(contentsOf: buffer[next..<(end ?? filled)])
      next = end.map { $0 + 1 } ?? filled
      if end != nil { return true }
    }
  }

  private func readHeader() throws -> Bool {
    var name = line.dropFirst(WordCountFile.headerStart.utf8.count)
    if name.last == 0x0d { name.removeLast() }
    // Otherwise it may still be a word of that form with its count.
    guard let found = PreTokenizer(rawValue: String(decoding: name, as: UTF8.self)) else { return false }
    if let preTokenizer, preTokenizer != found {
      throw failure("counts of the pre-tokenizer \(name) behind those of \(preTokenizer.rawValue)")
    }
    preTokenizer = found
    return true
  }

  private func parse() throws {
    // A file of another system's line ends.
    if line.last == 0x0d { line.removeLast() }
    for (separator, isPlain) in [(UInt8(0x09), false), (0x20, true)] {
      guard let end = line.lastIndex(of: separator), end > 0, let number = Self.decimal(line[(end + 1)...])
      else {
        continue
      }
      if isPlain {
        word.removeAll(keepingCapacity: true)
        word.append(contentsOf: line[..<end])
      } else if !WordCountFile.unescape(line[..<end], into: &word) {
        throw failure("a backslash that begins none of \\\\ \\t \\n \\r \\xHH")
      }
      guard number > 0 else { throw failure("the count is 0 or more than \(Int.max)") }
      count = number
      return
    }
    throw failure(
      line.starts(with: WordCountFile.headerStart.utf8)
        ? "counts of a pre-tokenizer that is not known" : "not a word, a tab or space, and its count")
  }

  /// nil where there is something other than digits; 0 where the number is too large.
  private static func decimal(_ digits: ArraySlice<UInt8>) -> Int? {
    guard !digits.isEmpty else { return nil }
    var value = 0
    var isTooLarge = false
    for digit in digits {
      guard digit &- 0x30 < 10 else { return nil }
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowToo) = tens.addingReportingOverflow(Int(digit - 0x30))
      isTooLarge = isTooLarge || overflow || overflowToo
      value = sum
    }
    return isTooLarge ? 0 : value
  }

  private func failure(_ message: String) -> Failure {
    Failure(
      .badInput, message, file: path, line: lineNumber,
      remedy: "Give files that count-words wrote, or lines of the form \"word count\"")
  }
}
