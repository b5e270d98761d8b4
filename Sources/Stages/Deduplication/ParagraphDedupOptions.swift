import Corpus

/// What lines or paragraphs are compared, and how much must be left of a document.
package struct ParagraphDedupOptions: Sendable {
  package var unit = ParagraphUnit.line
  package var minimumWords = 1
  package var minimumCharacters = 1

  package init() {}
}
