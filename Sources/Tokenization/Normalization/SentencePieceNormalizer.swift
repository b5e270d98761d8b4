/// What a SentencePiece model does to text before merging: its map of characters, white space, and the mark `▁` for
/// spaces.
///
/// A byte that is no part of well-formed UTF-8 stays as it is, where the library writes U+FFFD.
package final class SentencePieceNormalizer: Sendable {
  /// The double array of a trie (Darts-clone): a unit for each node.
  private let trie: [UInt32]
  /// The texts that the values of the trie point to, each ended by 0.
  private let replacements: [UInt8]
  private let addsPrefix, removesExtraSpaces, marksSpaces, hasPrefixBehind: Bool
  /// Pieces that the user has defined are kept as they are; by their first byte, the longest first.
  private let kept: [UInt8: [[UInt8]]]
  private static let mark = Array("\u{2581}".utf8)

  init?(
    charactersMap: [UInt8], addsPrefix: Bool, removesExtraSpaces: Bool, marksSpaces: Bool,
    hasPrefixBehind: Bool,
    kept: [[UInt8]]
  ) {
    self.addsPrefix = addsPrefix
    self.removesExtraSpaces = removesExtraSpaces
    self.marksSpaces = marksSpaces
    self.hasPrefixBehind = hasPrefixBehind
    self.kept = Dictionary(grouping: kept.filter { !$0.isEmpty }, by: { $0[0] }).mapValues {
      $0.sorted { $0.count > $1.count }
    }
    if charactersMap.isEmpty {
      (trie, replacements) = ([], [])
      return
    }
    func number(_ offset: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(charactersMap[offset + $1]) << UInt32(8 * $1) }
    }
    guard charactersMap.count > 4, case let size = Int(number(0)), size % 4 == 0, size > 0,
      size <= charactersMap.count - 4
    else { return nil }
    trie = stride(from: 4, to: 4 + size, by: 4).map(number)
    replacements = Array(charactersMap[(4 + size)...]) + [0]
  }

  func append(_ text: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    let first = out.count
    var position = 0
    if removesExtraSpaces {
      while position < text.count, case let (length, range) = prefix(text, position),
        isSpace(range, text, position, length)
      {
        position += length
      }
    }
    if position == text.count { return }
    let space = marksSpaces ? Self.mark : [0x20]
    if addsPrefix && !hasPrefixBehind { out += space }
    var followsSpace = removesExtraSpaces
    while position < text.count {
      let (length, range) = prefix(text, position)
      func write(_ source: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        var range = range
        while followsSpace, let byte = range.first, source[byte] == 0x20 { range.removeFirst() }
        guard let last = range.last else { return }
        for index in range {
          if source[index] == 0x20 { out += space } else { out.append(source[index]) }
        }
        followsSpace = source[last] == 0x20
      }
      if let range {
        replacements.withUnsafeBufferPointer { write($0, range) }
      } else {
        write(text, position..<(position + length))
      }
      position += length
      if !removesExtraSpaces { followsSpace = false }
    }
    if removesExtraSpaces {
      while out.count - first >= space.count, out.suffix(space.count).elementsEqual(space) {
        out.removeLast(space.count)
      }
    }
    if addsPrefix && hasPrefixBehind { out += space }
  }

  private func isSpace(
    _ range: Range<Int>?, _ text: UnsafeBufferPointer<UInt8>, _ position: Int, _ length: Int
  ) -> Bool {
    if let range { return range.count == 1 && replacements[range.lowerBound] == 0x20 }
    return length == 1 && text[position] == 0x20
  }

  /// The length of what is looked at as one at a position, and the range of what replaces it, or nil.
  private func prefix(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (length: Int, Range<Int>?) {
    if let candidates = kept[text[position]] {
      for candidate in candidates
      where candidate.count <= text.count - position
        && text[position..<(position + candidate.count)].elementsEqual(candidate)
      {
        return (candidate.count, nil)
      }
    }
    if !trie.isEmpty, let (length, value) = longest(text, position), value < replacements.count {
      let end = replacements[value...].firstIndex(of: 0) ?? value
      return (length, value..<end)
    }
    let base = text.baseAddress! + position
    return (CharacterCuts.character(base, text.count - position).length, nil)
  }

  /// The longest key of the trie at a position, and its value.
  private func longest(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (length: Int, value: Int)? {
    func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 1 << 9) >> 6)) }
    var node = offset(trie[0])
    var found: (Int, Int)?
    for index in position..<text.count {
      let byte = text[index]
      node ^= Int(byte)
      guard node < trie.count, case let unit = trie[node], unit & (1 << 31 | 0xff) == UInt32(byte) else {
        break
      }
      node ^= offset(unit)
      if unit >> 8 & 1 == 1, node < trie.count {
        found = (index - position + 1, Int(trie[node] & (1 << 31 - 1)))
      }
    }
    return found
  }
}

extension SentencePieceNormalizer: Equatable {
  package static func == (a: SentencePieceNormalizer, b: SentencePieceNormalizer) -> Bool { a === b }
}
