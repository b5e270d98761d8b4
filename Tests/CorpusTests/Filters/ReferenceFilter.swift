import Foundation

/// A simple implementation of the rules over arrays of characters: the reference for the fast filters.
struct ReferenceFilter {
  typealias Characters = [Unicode.Scalar]

  /// A word or punctuation mark, and which of the two it is.
  struct Word: Equatable {
    var text: Characters
    var isSymbol: Bool
  }

  static func isSpace(_ c: Unicode.Scalar) -> Bool { c.properties.isWhitespace }

  static func isLetter(_ c: Unicode.Scalar) -> Bool {
    [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter].contains(
      c.properties.generalCategory)
  }

  static func isNumber(_ c: Unicode.Scalar) -> Bool {
    [.decimalNumber, .letterNumber, .otherNumber].contains(c.properties.generalCategory)
  }

  static func isCapital(_ c: Unicode.Scalar) -> Bool {
    [.uppercaseLetter, .titlecaseLetter].contains(c.properties.generalCategory)
  }

  static func isPunctuation(_ c: Unicode.Scalar) -> Bool {
    [
      .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation,
    ].contains(c.properties.generalCategory)
  }

  static func isSymbol(_ c: Unicode.Scalar) -> Bool {
    !isSpace(c)
      && (isPunctuation(c)
        || [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol, .control].contains(
          c.properties.generalCategory))
  }

  static func isAlone(_ c: Unicode.Scalar) -> Bool {
    let hiragana: [ClosedRange<UInt32>] = [0x3041...0x3096, 0x309d...0x309f]
    return c.properties.isIdeographic || hiragana.contains { $0.contains(c.value) }
  }

  static func isInWord(_ c: Unicode.Scalar) -> Bool { !isSpace(c) && !isSymbol(c) && !isAlone(c) }

  static func words(_ text: Characters) -> [Word] {
    var words: [Word] = []
    var index = 0
    while index < text.count {
      let c = text[index]
      if isSpace(c) {
        index += 1
      } else if let end = addressEnd(text, index) {
        words.append(Word(text: Array(text[index..<end]), isSymbol: false))
        index = end
      } else if isInWord(c) {
        var end = index + 1
        while end < text.count && (isInWord(text[end]) || joins(text, end)) { end += 1 }
        let parts = contracted(Array(text[index..<end]))
        if parts.count == 1 && end < text.count && text[end] == "." && isAbbreviation(parts[0])
          && !(end + 1 < text.count && (isInWord(text[end + 1]) || text[end + 1] == "."))
        {
          end += 1
        }
        words +=
          parts.count == 1
          ? [Word(text: Array(text[index..<end]), isSymbol: false)]
          : parts.map { Word(text: $0, isSymbol: false) }
        index = end
      } else {
        var end = index + 1
        if c == "." || c == "-" { while end < text.count && text[end] == c { end += 1 } }
        words.append(Word(text: Array(text[index..<end]), isSymbol: isSymbol(c)))
        index = end
      }
    }
    return words
  }

  private static func joins(_ text: Characters, _ index: Int) -> Bool {
    guard index + 1 < text.count else { return false }
    let (before, mark, after) = (text[index - 1], text[index], text[index + 1])
    guard isInWord(before), isInWord(after) else { return false }
    switch mark {
    case ".": return !(isLetter(before) && !isCapital(before) && isCapital(after))
    case ",": return !(isLetter(before) && isLetter(after))
    case ":", "/", "<", "=", ">": return !isLetter(after)
    case "*", "+", "^": return !(isNumber(before) && isNumber(after))
    case "-": return !isNumber(before) && isNumber(after)
    case "~": return false
    default:
      return mark == "’" || (mark.isASCII && (isPunctuation(mark) || "$`|".unicodeScalars.contains(mark)))
    }
  }

  private static func isAbbreviation(_ word: Characters) -> Bool {
    let titles =
      "Mr Mrs Ms Messrs Dr Prof St Gen Gov Rev Rep Sen Jr Sr Inc Ltd Co Corp".split(separator: " ").map {
        Array($0.unicodeScalars)
      }
    guard let last = word.last else { return false }
    let isInitial = word.count == 1 || word[word.count - 2] == "."
    return isInitial ? isLetter(last) : titles.contains(word)
  }

  private static func contracted(_ word: Characters) -> [Characters] {
    let text = String(String.UnicodeScalarView(word)).unicodeScalars.map {
      $0.isASCII ? Character($0).lowercased() : $0 == "’" ? "'" : "é"
    }
    for tail in ["n't", "'s", "'d", "'m", "'ll", "'re", "'ve"] {
      let cut = word.count - tail.count
      if cut > 0, text[cut...].joined() == tail { return [Array(word[..<cut]), Array(word[cut...])] }
    }
    return [word]
  }

  private static func addressEnd(_ text: Characters, _ start: Int) -> Int? {
    let head = String(String.UnicodeScalarView(text[start...].prefix(8)))
    guard
      ["http://", "https://", "www."].contains(where: { prefix in
        zip(prefix.unicodeScalars, head.unicodeScalars).allSatisfy {
          $0 == $1 || $1.isASCII && String($0) == String($1).lowercased()
        } && head.unicodeScalars.count >= prefix.count
      })
    else { return nil }
    var end = start
    while end < text.count && !isSpace(text[end]) && !["<", ">", "\""].contains(text[end]) { end += 1 }
    while isPunctuation(text[end - 1]) { end -= 1 }
    return end
  }

  /// All values except those of C4, by the name of the rule.
  static func values(_ string: String) -> [String: Double] {
    let text = Array(string.unicodeScalars)
    let words = words(text)
    let plain = words.filter { !$0.isSymbol }
    let count = Double(max(words.count, 1)), length = Double(max(text.count, 1))
    var values: [String: Double] = [:]
    values["min-words"] = Double(plain.count)
    values["gopher-min-words"] = Double(plain.count)
    values["min-chars"] = Double(text.count)
    values["gopher-min-word-length"] =
      plain.isEmpty ? 0 : Double(plain.reduce(0) { $0 + $1.text.count }) / Double(plain.count)
    let hashes = Double(text.count { $0 == "#" })
    values["gopher-hash-ratio"] = words.isEmpty ? 0 : hashes / count
    let ellipses = string.replacingOccurrences(of: "...", with: "…").unicodeScalars.count { $0 == "…" }
    values["gopher-ellipsis-ratio"] = words.isEmpty ? 0 : Double(ellipses) / count
    values["gopher-alphabetic-words"] = Double(words.count { $0.text.contains(where: isLetter) }) / count
    let stops = Set(
      ["the", "be", "to", "of", "and", "that", "have", "with"].map { Array($0.unicodeScalars) })
    values["gopher-stop-words"] = Double(Set(words.map(\.text)).intersection(stops).count)

    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
    let feeds = Double(lines.count - 1)
    for index in lines.indices.dropLast() where lines[index].last == "\r" { lines[index].removeLast() }
    if lines.last?.isEmpty == true { lines.removeLast() }
    let lineCount = Double(max(lines.count, 1))
    values["gopher-bullet-lines"] =
      Double(lines.map(trimmed).count { ["•", "-"].contains($0.first) }) / lineCount
    values["gopher-ellipsis-lines"] =
      Double(lines.map(trimmed).count { $0.last == "…" || $0.suffix(3) == [".", ".", "."] }) / lineCount
    let parts = lines.filter { !$0.isEmpty }
    values["min-lines"] = Double(parts.count)
    values["mc4-long-lines"] = Double(parts.count { $0.count >= 200 })
    let repeated = repeats(parts)
    values["gopher-duplicate-lines"] = Double(repeated.count) / Double(max(parts.count, 1))
    values["gopher-duplicate-line-chars"] = Double(repeated.joined().count) / length
    let filled = parts.filter { !trimmed($0).isEmpty }
    let filledCount = Double(max(filled.count, 1))
    values["fineweb-terminal-lines"] = Double(filled.count { isTerminal($0.last!) }) / filledCount
    values["fineweb-short-lines"] = Double(filled.count { $0.count <= 30 }) / filledCount
    let rest = Double(text.count) - feeds
    values["fineweb-duplicate-line-chars"] = rest == 0 ? 0 : Double(repeats(filled).joined().count) / rest
    values["fineweb-newline-ratio"] = words.isEmpty ? 0 : feeds / count
    // White space at both ends does not belong to a paragraph, nor CR before LF to a line.
    var body = trimmed(text)
    var index = 0
    while index + 1 < body.count {
      if body[index] == "\r" && body[index + 1] == "\n" { body.remove(at: index) } else { index += 1 }
    }
    var paragraphs: [Characters] = []
    for line in body.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty {
        paragraphs.append([])
      } else if paragraphs.last?.isEmpty == false {
        paragraphs[paragraphs.count - 1] += ["\n"] + line
      } else {
        paragraphs.append(Array(line))
      }
    }
    paragraphs.removeAll(where: \.isEmpty)
    let again = repeats(paragraphs)
    values["gopher-duplicate-paragraphs"] = Double(again.count) / Double(max(paragraphs.count, 1))
    values["gopher-duplicate-paragraph-chars"] = Double(again.joined().count) / length

    for n in 2...4 { values["gopher-top-\(n)-gram"] = Double(top(words, n)) / length }
    for n in 5...10 { values["gopher-duplicate-\(n)-grams"] = Double(duplicates(words, n)) / length }
    return values
  }

  static func trimmed(_ text: Characters) -> Characters {
    Array(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }

  private static func isTerminal(_ c: Unicode.Scalar) -> Bool {
    [".", "!", "?", "。", "！", "？", "؟", "।", "։", "።", "۔", "‼", "⁇", "．", "｡", "។"].contains(c)
  }

  private static func repeats(_ parts: [Characters]) -> [Characters] {
    var seen: Set<Characters> = []
    return parts.filter { !seen.insert($0).inserted }
  }

  private static func grams(_ words: [Word], _ n: Int) -> [[Characters]] {
    words.count < n ? [] : (0...(words.count - n)).map { words[$0..<($0 + n)].map(\.text) }
  }

  private static func top(_ words: [Word], _ n: Int) -> Int {
    let grams = grams(words, n)
    var counts: [[Characters]: Int] = [:]
    for gram in grams { counts[gram, default: 0] += 1 }
    guard let most = counts.values.max(), let first = grams.first(where: { counts[$0] == most }) else {
      return 0
    }
    return most * (first.joined().count + n - 1)
  }

  private static func duplicates(_ words: [Word], _ n: Int) -> Int {
    let grams = grams(words, n)
    var seen: Set<[Characters]> = []
    var (characters, index) = (0, 0)
    while index < grams.count {
      if seen.insert(grams[index]).inserted {
        index += 1
      } else {
        characters += grams[index].joined().count
        index += n
      }
    }
    return characters
  }
}
