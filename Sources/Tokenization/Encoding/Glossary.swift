import Foundation
import Support

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
