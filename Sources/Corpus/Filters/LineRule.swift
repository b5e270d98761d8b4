/// A rule that takes lines, or parts of them, out of a document.
enum LineRule: Int, Sendable, CaseIterable {
  case longWords, citations, terminalPunctuation, words, javascript, policy
}
