import Foundation
import Support

/// The subwords that `--vocab` allows, from a file in the form of subword-nmt and fastBPE: lines of a subword
/// and its count, with `@@` after every subword that does not end its word.
package struct SubwordVocabulary: Sendable {
  private let inside: Set<UInt32>
  private let final: Set<UInt32>

  /// Subwords with a count below `threshold` are not allowed.
  package init(_ file: [UInt8], threshold: Int, tokenizer: Tokenizer, file name: String) throws {
    guard tokenizer.mode == .word else {
      throw Failure(
        .usage, "a vocabulary of subwords is for word tokenizers", file: name,
        remedy: "Leave --vocab out, or encode with codes or a tokenizer learned with --mode word")
    }
    var inside = Set<UInt32>(), final = Set<UInt32>()
    for (index, line) in file.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      let line = line.last == 0x0d ? line.dropLast() : line
      if line.isEmpty { continue }
      let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
      guard fields.count == 2, let count = Int(String(decoding: fields[1], as: UTF8.self)) else {
        throw Failure(
          .badInput, "not a line of a subword and its count", file: name, line: index + 1,
          remedy: "Give the vocabulary that fastBPE or subword-nmt get-vocab wrote")
      }
      if count < threshold { continue }
      if fields[0].suffix(2).elementsEqual("@@".utf8),
        let id = tokenizer.vocabulary.id(of: Array(fields[0].dropLast(2)))
      {
        inside.insert(id)
      }
      // If the end of a word is a separate symbol, the last subword may lack the mark.
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
