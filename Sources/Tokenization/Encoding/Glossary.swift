import Foundation
import Support

/// Regular expressions (in ICU's syntax) for parts of words that are not split, like the glossaries of
/// subword-nmt.
package struct Glossary: Sendable {
  private let expressions: [NSRegularExpression]
  private let whole: NSRegularExpression

  struct Segment {
    let range: Range<Int>
    /// Whether it matches as a whole, so that it is not split.
    let isWhole: Bool
  }

  package init(_ patterns: [String]) throws {
    func compile(_ pattern: String) throws -> NSRegularExpression {
      do { return try NSRegularExpression(pattern: pattern) } catch {
        throw Failure(
          .usage, "the glossary \(pattern) is not a regular expression",
          remedy: "A backslash before one of []()*+?.^$| makes it an ordinary character")
      }
    }
    expressions = try patterns.map(compile)
    whole = try compile("^(?:" + patterns.joined(separator: "|") + ")$")
  }

  /// The word, cut around everything that matches; nil if nothing does.
  func segments(of word: UnsafeBufferPointer<UInt8>) -> [Segment]? {
    guard let text = String(validating: word, as: UTF8.self) else { return nil }
    var parts = [text]
    for expression in expressions { parts = parts.flatMap { split($0, expression) } }
    if parts.count == 1 && !isWhole(text) { return nil }
    var position = 0
    return parts.map { part in
      defer { position += part.utf8.count }
      return Segment(range: position..<(position + part.utf8.count), isWhole: isWhole(part))
    }
  }

  private func isWhole(_ text: String) -> Bool {
    whole.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
  }

  private func split(_ text: String, _ expression: NSRegularExpression) -> [String] {
    if isWhole(text) { return [text] }
    var parts: [String] = []
    var start = text.startIndex
    for match in expression.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
      guard let range = Range(match.range, in: text), !range.isEmpty else { continue }
      parts += [String(text[start..<range.lowerBound]), String(text[range])]
      start = range.upperBound
    }
    parts.append(String(text[start...]))
    return parts.filter { !$0.isEmpty }
  }
}
