import Foundation
import Support

/// The pieces that `--vocab` allows, as subword-nmt and fastBPE count them: `piece count` lines, `@@` behind every piece
/// that does not end its word.
package struct PieceVocabulary: Sendable {
  private let inside: Set<UInt32>
  private let final: Set<UInt32>

  /// Pieces that occur less than `threshold` times are not allowed.
  package init(_ file: [UInt8], threshold: Int, tokenizer: Tokenizer, file name: String) throws {
    guard tokenizer.mode == .word else {
      throw Failure(
        .usage, "a vocabulary of pieces is for word tokenizers", file: name,
        remedy: "Leave --vocab out, or encode with codes or a tokenizer learned with --mode word")
    }
    var inside = Set<UInt32>(), final = Set<UInt32>()
    for (index, line) in file.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      let line = line.last == 0x0d ? line.dropLast() : line
      if line.isEmpty { continue }
      let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
      guard fields.count == 2, let count = Int(String(decoding: fields[1], as: UTF8.self)) else {
        throw Failure(
          .badInput, "not a line of a piece and its count", file: name, line: index + 1,
          remedy: "Give the vocabulary that fastBPE or subword-nmt get-vocab wrote")
      }
      if count < threshold { continue }
      if fields[0].suffix(2).elementsEqual("@@".utf8),
        let id = tokenizer.vocabulary.id(of: Array(fields[0].dropLast(2)))
      {
        inside.insert(id)
      }
      // With a mark that is a symbol of its own the last piece may lack it.
      for text in [Array(fields[0]) + EndOfWord.mark]
        + (tokenizer.endOfWordIsSymbol ? [Array(fields[0])] : [])
      {
        if let id = tokenizer.vocabulary.id(of: text) { final.insert(id) }
      }
    }
    (self.inside, self.final) = (inside, final)
  }

  func contains(_ id: UInt32, isFinal: Bool) -> Bool { (isFinal ? final : inside).contains(id) }
}

/// Parts of words that are not split: regular expressions (ICU's), as the glossaries of subword-nmt.
package struct Glossary: @unchecked Sendable {
  // NSRegularExpression is immutable and may be used by many threads.
  private let expressions: [NSRegularExpression]
  private let whole: NSRegularExpression

  struct Segment {
    let range: Range<Int>
    let isWhole: Bool
  }

  package init(_ patterns: [String]) throws {
    func compile(_ pattern: String) throws -> NSRegularExpression {
      do { return try NSRegularExpression(pattern: pattern) } catch {
        throw Failure(
          .usage, "the glossary \(pattern) is no regular expression",
          remedy: "A backslash before one of []()*+?.^$| makes it an ordinary character")
      }
    }
    expressions = try patterns.map(compile)
    whole = try compile("^(?:" + patterns.joined(separator: "|") + ")$")
  }

  /// The word cut at everything that matches; nil where nothing does.
  func segments(of word: UnsafeBufferPointer<UInt8>) -> [Segment]? {
    guard let text = String(validating: word, as: UTF8.self) else { return nil }
    var pieces = [text]
    for expression in expressions { pieces = pieces.flatMap { split($0, expression) } }
    if pieces.count == 1 && !isWhole(text) { return nil }
    var position = 0
    return pieces.map { piece in
      defer { position += piece.utf8.count }
      return Segment(range: position..<(position + piece.utf8.count), isWhole: isWhole(piece))
    }
  }

  private func isWhole(_ text: String) -> Bool {
    whole.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
  }

  private func split(_ text: String, _ expression: NSRegularExpression) -> [String] {
    if isWhole(text) { return [text] }
    var pieces: [String] = []
    var start = text.startIndex
    for match in expression.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
      guard let range = Range(match.range, in: text), !range.isEmpty else { continue }
      pieces += [String(text[start..<range.lowerBound]), String(text[range])]
      start = range.upperBound
    }
    pieces.append(String(text[start...]))
    return pieces.filter { !$0.isEmpty }
  }
}
