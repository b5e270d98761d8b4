/// The mark of word mode behind the last character of a word.
package enum EndOfWord {
  package static let mark = Array("</w>".utf8)
}
