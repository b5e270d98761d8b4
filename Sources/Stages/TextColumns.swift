/// Numbers and words in columns, for terminals and pages.
package enum TextColumns {
  /// `1,234,567`.
  package static func grouped(_ count: Int) -> String {
    var digits = Array(String(count))
    for index in stride(from: digits.count - 3, to: count < 0 ? 1 : 0, by: -3) {
      digits.insert(",", at: index)
    }
    return String(digits)
  }

  /// Text at the left of a column; at least one space follows.
  package static func left(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }

  /// Text at the right of a column; at least one space precedes.
  package static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(1, width - text.count)) + text
  }
}
