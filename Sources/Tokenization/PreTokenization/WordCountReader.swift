import Support

/// Reads the lines of a file of word counts, compressed or not.
package final class WordCountReader {
  package let path: String
  /// The pre-tokenizer that the file names, once that line is read.
  package private(set) var preTokenizer: PreTokenizer?
  /// The word of the last line, and its count.
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
  /// Skips blank lines, and throws for a line of any other form.
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
    // Otherwise the line may be a word of that form with its count.
    guard let found = PreTokenizer(rawValue: String(decoding: name, as: UTF8.self)) else { return false }
    if let preTokenizer, preTokenizer != found {
      throw failure("counts of the pre-tokenizer \(name) after those of \(preTokenizer.rawValue)")
    }
    preTokenizer = found
    return true
  }

  private func parse() throws {
    // Line ends of Windows.
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
        throw failure("a backslash that does not begin \\\\, \\t, \\n, \\r or \\xHH")
      }
      guard number > 0 else { throw failure("the count is 0 or more than \(Int.max)") }
      count = number
      return
    }
    throw failure(
      line.starts(with: WordCountFile.headerStart.utf8)
        ? "counts of an unknown pre-tokenizer" : "not a word, a tab or space, and its count")
  }

  /// Nil if there is anything but digits; 0 if the number is too large.
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
