/// What is compared and removed as a whole within documents.
package enum ParagraphUnit: String, Sendable, CaseIterable {
  /// Every line.
  case line
  /// Each group of lines between blank lines.
  case paragraph
}
