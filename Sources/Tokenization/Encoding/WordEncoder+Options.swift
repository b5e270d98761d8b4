// subword-nmt's options: glossaries and restricted vocabularies.
extension WordEncoder {
  /// Encodes the segments of a word that a glossary cuts.
  func encode(
    _ segments: [Glossary.Segment], of word: UnsafeBufferPointer<UInt8>, _ scratch: inout Scratch,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var count = 0
    for (index, segment) in segments.enumerated() {
      let bytes = UnsafeBufferPointer(rebasing: word[segment.range])
      if segment.isWhole {
        let isLast = index == segments.count - 1
        output[count] =
          tokenizer.vocabulary.id(of: Array(bytes) + (isLast ? EndOfWord.mark : [])) ?? Vocabulary.missing
        scratch.lengths.append(bytes.count)
        count += 1
      } else {
        // Each of these is encoded as a word, although its last subword need not end the word.
        let more = encodeSegment(bytes, &scratch, into: output + count)
        appendLengths(UnsafeBufferPointer(start: output + count, count: more), bytes, &scratch.lengths)
        count += more
      }
    }
    return count
  }

  /// Splits each subword that is not in the vocabulary into the two that it was merged from, until all are or
  /// are characters.
  func restrict(
    _ count: Int, to allowed: SubwordVocabulary, _ output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let ids = Array(UnsafeBufferPointer(start: output, count: count))
    let markCount = tokenizer.endOfWordIsSymbol && ids.last == endOfWordSymbol ? 1 : 0
    var written = 0
    func add(_ id: UInt32, isFinal: Bool) {
      if id != Vocabulary.missing, let (left, right) = parts[id], !allowed.contains(id, isFinal: isFinal) {
        add(left, isFinal: false)
        add(right, isFinal: isFinal)
      } else {
        output[written] = id
        written += 1
      }
    }
    for (index, id) in ids.enumerated() { add(id, isFinal: index >= count - 1 - markCount) }
    return written
  }
}
