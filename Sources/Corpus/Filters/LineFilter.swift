import Foundation

/// The line rules of C4: removes lines from documents, and counts what decides about the whole document on
/// the way.
///
/// Lines are examined and written without white space at their ends. The rules apply in the order of C4's
/// code (tensorflow_datasets, `c4_utils.py`): a line is searched for `lorem ipsum` and `{` only if the
/// previous rules kept it.
struct LineFilter {
  /// The thresholds of the active rules.
  struct Settings: Sendable, Equatable {
    var longestWord: Double?
    var fewestWords: Double?
    var cutsCitations = false
    var wantsTerminalPunctuation = false
    var dropsJavascript = false
    var dropsPolicy = false
    var countsLoremIpsum = false
    var countsCurlyBrackets = false
    /// Counting may stop at this many.
    var enoughSentences: Int?
    var countsSentences = false
  }

  private let settings: Settings
  private let scanner = WordScanner()

  /// The text of the lines that are kept.
  private(set) var kept: [UInt8] = []
  /// The number of lines removed by each rule, or of citations.
  private(set) var removed = [Int](repeating: 0, count: LineRule.allCases.count)
  /// The first line that each rule removed, as a range of the text.
  private(set) var firstRemoved = [Range<Int>?](repeating: nil, count: LineRule.allCases.count)
  private(set) var loremIpsum = 0
  private(set) var curlyBrackets = 0
  private(set) var sentences = 0

  private var hasPhrases = (javascript: false, loremIpsum: false, policy: false)
  private var hasMarks = (bracket: false, brace: false)
  private var edited: [UInt8] = []

  init(_ settings: Settings) { self.settings = settings }

  mutating func filter(_ text: UnsafeRawBufferPointer) {
    kept.removeAll(keepingCapacity: true)
    for rule in removed.indices { (removed[rule], firstRemoved[rule]) = (0, nil) }
    (loremIpsum, curlyBrackets, sentences) = (0, 0, 0)
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
    // Check the whole document first: most documents contain none of these.
    hasPhrases = (
      settings.dropsJavascript && PhraseSearch.contains(PhraseSearch.javascript, text),
      settings.countsLoremIpsum && PhraseSearch.contains(PhraseSearch.loremIpsum, text),
      settings.dropsPolicy && PhraseSearch.contains(PhraseSearch.policy, text)
    )
    hasMarks = (
      settings.cutsCitations && Self.contains(UInt8(ascii: "["), text),
      settings.countsCurlyBrackets && Self.contains(UInt8(ascii: "{"), text)
    )
    kept.reserveCapacity(text.count + 1)
    var start = 0
    while start < text.count {
      let line = TextLine(base, start, text.count)
      let inner = UTF8Text.trim(start..<line.end, in: base)
      if let rule = take(UnsafeRawBufferPointer(rebasing: text[inner])) {
        removed[rule.rawValue] += 1
        if firstRemoved[rule.rawValue] == nil { firstRemoved[rule.rawValue] = inner }
      }
      start = line.next
    }
    if kept.last == UInt8(ascii: "\n") { kept.removeLast() }
  }

  /// Applies the rules to a line. Returns the rule that removes it; nil if the line was written.
  private mutating func take(_ line: UnsafeRawBufferPointer) -> LineRule? {
    let (words, longest) =
      settings.longestWord == nil && settings.fewestWords == nil ? (0, 0) : countWords(line)
    if let limit = settings.longestWord, Double(longest) > limit { return .longWords }
    if hasMarks.bracket && cutCitations(line) {
      return edited.withUnsafeBytes { takeEdited($0, words) }
    }
    return takeEdited(line, words)
  }

  private mutating func takeEdited(_ line: UnsafeRawBufferPointer, _ words: Int) -> LineRule? {
    if settings.wantsTerminalPunctuation && !Self.endsSentence(line) { return .terminalPunctuation }
    if let limit = settings.fewestWords, Double(words) < limit { return .words }
    if hasPhrases.loremIpsum && PhraseSearch.contains(PhraseSearch.loremIpsum, line) { loremIpsum += 1 }
    if hasPhrases.javascript && PhraseSearch.contains(PhraseSearch.javascript, line) { return .javascript }
    if hasMarks.brace && Self.contains(UInt8(ascii: "{"), line) { curlyBrackets += 1 }
    if hasPhrases.policy && PhraseSearch.contains(PhraseSearch.policy, line) { return .policy }
    if settings.countsSentences && sentences < settings.enoughSentences ?? .max {
      var counter = SentenceCounter(text: line)
      scanner.scan(line, &counter)
      sentences += counter.count
    }
    kept.append(contentsOf: line)
    kept.append(UInt8(ascii: "\n"))
    return nil
  }

  /// The number of words separated by white space, and the length of the longest word if it may be too long.
  private func countWords(_ line: UnsafeRawBufferPointer) -> (count: Int, longest: Int) {
    guard let base = line.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return (0, 0) }
    let table = CharacterFlags.table
    let mayBeTooLong = settings.longestWord.map { Double(line.count) > $0 } ?? false
    let enough = settings.fewestWords ?? 0
    var (count, longest, characters) = (0, 0, 0)
    var index = 0
    while index < line.count {
      let (point, length) = UTF8Text.character(base, at: index)
      index += length
      if table[point] & CharacterFlags.space != 0 {
        characters = 0
        continue
      }
      if characters == 0 {
        count += 1
        if !mayBeTooLong && Double(count) >= enough { break }
      }
      characters += 1
      longest = max(longest, characters)
    }
    return (count, longest)
  }

  /// Writes the line without `[12]`, `[]`, `[edit]` and `[citation needed]` to `edited`; returns false if it
  /// contains none.
  private mutating func cutCitations(_ line: UnsafeRawBufferPointer) -> Bool {
    guard Self.contains(UInt8(ascii: "["), line) else { return false }
    edited.removeAll(keepingCapacity: true)
    var index = 0
    var cuts = 0
    while index < line.count {
      if line[index] == UInt8(ascii: "["), let end = Self.citationEnd(line, index) {
        index = end
        cuts += 1
      } else {
        edited.append(line[index])
        index += 1
      }
    }
    removed[LineRule.citations.rawValue] += cuts
    return cuts > 0
  }

  private static let marks = ["edit]", "citation needed]"].map { Array($0.utf8) }

  private static func citationEnd(_ line: UnsafeRawBufferPointer, _ start: Int) -> Int? {
    let rest = line[(start + 1)...]
    let digits = rest.prefix { $0 &- 0x30 < 10 }
    if digits.endIndex < line.count && line[digits.endIndex] == UInt8(ascii: "]") {
      return digits.endIndex + 1
    }
    for mark in marks where rest.starts(with: mark) { return start + 1 + mark.count }
    return nil
  }

  private static func contains(_ byte: UInt8, _ text: UnsafeRawBufferPointer) -> Bool {
    text.baseAddress.map { memchr($0, Int32(byte), text.count) != nil } ?? false
  }

  private static func endsSentence(_ line: UnsafeRawBufferPointer) -> Bool {
    switch line.last {
    case UInt8(ascii: "?"), UInt8(ascii: "!"), UInt8(ascii: "\""), UInt8(ascii: "'"): true
    case UInt8(ascii: "."): !(line.count >= 3 && line[line.count - 2] == 0x2e && line[line.count - 3] == 0x2e)
    default: false
    }
  }
}

/// Counts sentences. A sentence begins at the first word, and at the first word other than punctuation after
/// a sentence terminal.
private struct SentenceCounter: WordVisitor {
  private(set) var count = 1
  private var isAfterTerminal = false
  private let text: UnsafePointer<UInt8>?

  init(text: UnsafeRawBufferPointer) { self.text = text.baseAddress?.assumingMemoryBound(to: UInt8.self) }

  @inline(__always)
  mutating func visit(_ word: ScannedWord) -> Bool {
    // A run of dots does not end a sentence.
    let isTerminal = word.characters == 1 && word.flags & CharacterFlags.terminal != 0
    if isTerminal {
      isAfterTerminal = true
    } else if isAfterTerminal && word.flags & CharacterFlags.punctuation == 0 {
      count += 1
      isAfterTerminal = false
    }
    return true
  }
}
