/// The mark after the last character of a word in word mode.
package enum EndOfWord {
  package static let mark = Array("</w>".utf8)
}
