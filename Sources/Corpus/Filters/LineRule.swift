/// A rule that removes lines, or parts of lines, from a document.
enum LineRule: Int, Sendable, CaseIterable {
  case longWords, citations, terminalPunctuation, words, javascript, policy
}
