import CICU
import Foundation
import Support

/// Measures one document for the rules. Each kind of measure is computed in one pass when it is first needed.
///
/// The object is reused for many documents, so that its tables are allocated once. Lengths are in code
/// points, and words are those of ``WordScanner``.
final class DocumentMeasures {
  private var text = UnsafeRawBufferPointer(start: nil, count: 0)
  private var measuredCharacters: Int?
  private var measuredLines: LineMeasures?
  private var measuredParagraphs: RepeatedParts?
  private var measuredWords: WordMeasures?
  private var hasNGrams = false

  private let scanner = WordScanner()
  private let sequence = WordSequence()
  private let repetition = NGramRepetition()
  private var parts = RepeatedPartFinder()

  /// Whether words are recorded for n-grams while they are counted.
  private let wantsNGrams: Bool

  init(wantsNGrams: Bool) { self.wantsNGrams = wantsNGrams }

  /// Switches to another text, which must remain valid while it is measured.
  func begin(_ text: UnsafeRawBufferPointer) {
    self.text = text
    measuredCharacters = nil
    measuredLines = nil
    measuredParagraphs = nil
    measuredWords = nil
    hasNGrams = false
  }

  /// The value of a measure that depends on the text alone. A ratio with denominator 0 is 0.
  func value(_ measure: FilterMeasure) -> Double {
    switch measure {
    case .isEmpty: Bytes.isBlank(text[...]) || characters == 0 ? 1 : 0
    case .words: Double(words.count)
    case .characters: Double(characters)
    case .lines: Double(lines.parts.count)
    case .meanWordLength: ratio(words.characters, words.count)
    case .hashRatio: ratio(Bytes.count(of: UInt8(ascii: "#"), in: text), words.countWithSymbols)
    case .ellipsisRatio: ratio(ellipses, words.countWithSymbols)
    case .bulletLines: ratio(lines.bullets, lines.count)
    case .ellipsisLines: ratio(lines.ellipses, lines.count)
    case .alphabeticWords: ratio(words.alphabetic, words.countWithSymbols)
    case .stopWords: Double(words.stopWords.nonzeroBitCount)
    case .duplicateParagraphs: ratio(paragraphs.duplicates, paragraphs.count)
    case .duplicateParagraphCharacters: ratio(paragraphs.duplicateCharacters, characters)
    case .duplicateLines: ratio(lines.parts.duplicates, lines.parts.count)
    case .duplicateLineCharacters: ratio(lines.parts.duplicateCharacters, characters)
    case .topNGram(let n): ratio(nGrams.top[n], characters)
    case .duplicateNGrams(let n): ratio(nGrams.duplicate[n], characters)
    case .longLines: Double(lines.long)
    case .terminalLines: ratio(lines.terminal, lines.filled)
    case .shortLines: ratio(lines.short, lines.filled)
    case .duplicateCharactersOfLines: ratio(lines.duplicateCharactersOfFilled, characters - lines.feeds)
    case .newlineRatio: ratio(lines.feeds, words.countWithSymbols)
    case .blockedPhrases, .blockedURL, .languageScore, .loremIpsum, .curlyBrackets, .sentences:
      preconditionFailure("measured elsewhere")
    }
  }

  private func ratio(_ part: Int, _ whole: Int) -> Double { whole == 0 ? 0 : Double(part) / Double(whole) }

  private var characters: Int {
    if let measuredCharacters { return measuredCharacters }
    let characters = UTF8Text.count(text)
    measuredCharacters = characters
    return characters
  }

  private var words: WordMeasures {
    if let measuredWords { return measuredWords }
    var words = WordMeasures(text: text, sequence: wantsNGrams ? sequence : nil)
    scanner.scan(text, &words)
    sequence.end(words.countWithSymbols)
    measuredWords = words
    return words
  }

  private var nGrams: NGramRepetition {
    if !hasNGrams {
      _ = words
      repetition.measure(sequence)
      hasNGrams = true
    }
    return repetition
  }

  private var lines: LineMeasures {
    if let measuredLines { return measuredLines }
    let lines = LineMeasures(text, &parts)
    measuredLines = lines
    return lines
  }

  private var paragraphs: RepeatedParts {
    if let measuredParagraphs { return measuredParagraphs }
    let paragraphs = RepeatedParts(paragraphsOf: text, &parts)
    measuredParagraphs = paragraphs
    return paragraphs
  }

  /// The number of `...`, not overlapping, and `…`.
  private var ellipses: Int {
    var count = 0
    for (a, b, c) in [(0x2e, 0x2e, 0x2e), (0xe2, 0x80, 0xa6)] as [(UInt8, UInt8, UInt8)] {
      var index = 0
      while index + 3 <= text.count,
        let found = memchr(text.baseAddress! + index, Int32(a), text.count - 2 - index)
      {
        index = UnsafeRawPointer(found) - text.baseAddress! + 1
        if text[index] == b && text[index + 1] == c {
          count += 1
          index += 2
        }
      }
    }
    return count
  }
}

/// A 64-bit hash of a word.
private enum WordHash {
  /// The first bytes of a word, at most 8, as a number padded with zeros. The next `readable` bytes may be
  /// read.
  @inline(__always)
  static func start(_ word: UnsafePointer<UInt8>, _ length: Int, readable: Int) -> UInt64 {
    guard readable >= 8 else {
      var packed: UInt64 = 0
      for index in 0..<min(length, 8) { packed |= UInt64(word[index]) << UInt64(8 * index) }
      return packed
    }
    let packed = UInt64(littleEndian: UnsafeRawPointer(word).loadUnaligned(as: UInt64.self))
    return length >= 8 ? packed : packed & ((1 << UInt64(truncatingIfNeeded: 8 &* length)) &- 1)
  }

  @inline(__always)
  static func of(_ word: UnsafePointer<UInt8>, _ length: Int, readable: Int) -> UInt64 {
    if length > 16 { return Hashing.xxh3(UnsafeRawBufferPointer(start: word, count: length)) }
    let head = start(word, length, readable: readable)
    var tail = UInt64(truncatingIfNeeded: length)
    if length > 8 {
      let last = UnsafeRawPointer(word + (length &- 8)).loadUnaligned(as: UInt64.self)
      tail ^= UInt64(littleEndian: last)
    }
    return Hashing.fold(head, tail)
  }
}

/// Counts over the words of a text.
private struct WordMeasures: WordVisitor {
  /// The number of words other than symbols, and of their characters.
  var count = 0
  var characters = 0
  var countWithSymbols = 0
  /// The number of words with a letter.
  var alphabetic = 0
  /// One bit per stop word that occurred.
  var stopWords: UInt8 = 0

  private let text: UnsafePointer<UInt8>?
  private let length: Int
  private let sequence: WordSequence?
  // Copies of the pointers of the sequence, which save an indirection per word.
  private var hashes: UnsafeMutablePointer<UInt64>?
  private var offsets: UnsafeMutablePointer<UInt32>?
  /// The hash of all words so far.
  private var hash: UInt64 = 0
  private var capacity = Int.max

  init(text: UnsafeRawBufferPointer, sequence: WordSequence?) {
    self.text = text.baseAddress?.assumingMemoryBound(to: UInt8.self)
    length = text.count
    self.sequence = sequence
    loadSequence()
  }

  private mutating func loadSequence() {
    guard let sequence else { return }
    (hashes, offsets, capacity) = (sequence.hashes, sequence.offsets, sequence.capacity)
  }

  @inline(never)
  private mutating func growSequence() {
    sequence?.grow()
    loadSequence()
  }

  @inline(__always)
  mutating func visit(_ word: ScannedWord) -> Bool {
    let isWord = word.isSymbol ? 0 : 1
    count &+= isWord
    characters &+= isWord &* word.characters
    alphabetic &+= word.flags & CharacterFlags.letter == 0 ? 0 : 1
    let bytes = word.end &- word.start
    let start = text.unsafelyUnwrapped + word.start
    if bytes <= 4 && stopWords != 0xff {
      noteStopWord(WordHash.start(start, bytes, readable: length &- word.start))
    }
    if let hashes = hashes, let offsets = offsets {
      hash = WordSequence.extended(hash, by: WordHash.of(start, bytes, readable: length &- word.start))
      hashes[countWithSymbols &+ 1] = hash
      let end = offsets[countWithSymbols] &+ UInt32(truncatingIfNeeded: word.characters)
      offsets[countWithSymbols &+ 1] = end
    }
    countWithSymbols &+= 1
    if countWithSymbols == capacity { growSequence() }
    return true
  }

  private mutating func noteStopWord(_ packed: UInt64) {
    switch packed {
    case 0x65_6874: stopWords |= 1  // the
    case 0x6562: stopWords |= 2  // be
    case 0x6f74: stopWords |= 4  // to
    case 0x666f: stopWords |= 8  // of
    case 0x64_6e61: stopWords |= 16  // and
    case 0x7461_6874: stopWords |= 32  // that
    case 0x6576_6168: stopWords |= 64  // have
    case 0x6874_6977: stopWords |= 128  // with
    default: break
    }
  }
}
