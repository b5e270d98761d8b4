// Word mode: where the subwords of a word end in it.
extension WordEncoder {
  /// Replaces the ids of a word by the ends of its subwords, in bytes from its start, and returns the number
  /// of ends.
  func replaceByEnds(
    _ ids: UnsafeMutablePointer<UInt32>, _ count: Int, _ word: UnsafeBufferPointer<UInt8>,
    _ scratch: borrowing Scratch
  ) -> Int {
    var position = 0
    var written = 0
    for index in 0..<count {
      let length =
        scratch.lengths.isEmpty
        ? self.length(of: ids[index], isLast: index + 1 == count, word, from: position)
        : scratch.lengths[index]
      // A separate end-of-word symbol is not a subword.
      if length == 0 { continue }
      position += length
      ids[written] = UInt32(position)
      written += 1
    }
    return written
  }

  /// Appends the number of bytes of the word for each id; 0 for a separate end-of-word symbol.
  func appendLengths(
    _ ids: UnsafeBufferPointer<UInt32>, _ word: UnsafeBufferPointer<UInt8>, _ lengths: inout [Int]
  ) {
    var position = 0
    for (index, id) in ids.enumerated() {
      let length = length(of: id, isLast: index + 1 == ids.count, word, from: position)
      lengths.append(length)
      position += length
    }
  }

  private func length(of id: UInt32, isLast: Bool, _ word: UnsafeBufferPointer<UInt8>, from position: Int)
    -> Int
  {
    let rest = word.count - position
    if id == Vocabulary.missing {
      var length = min(1, rest)
      while length < rest && word[position + length] & 0xc0 == 0x80 { length += 1 }
      return length
    }
    return isLast ? rest : min(rest, tokenizer.vocabulary.range(of: id).count)
  }
}
