/// What a SentencePiece model does to text before merging: its map of characters, white space, and the mark `▁` for
/// spaces.
///
/// A byte that is no part of well-formed UTF-8 stays as it is, where the library writes U+FFFD.
package final class SentencePieceNormalizer: Sendable {
  /// The double array of a trie (Darts-clone): a unit for each node.
  private let trie: [UInt32]
  /// The texts that the values of the trie point to, each ended by 0.
  private let replacements: [UInt8]
  let addsPrefix, removesExtraSpaces, marksSpaces, hasPrefixBehind: Bool
  var mapsCharacters: Bool { !trie.isEmpty }
  /// Pieces that the user has defined are kept as they are; by their first byte, the longest first.
  private let kept: [UInt8: [[UInt8]]]
  /// By byte: whether it is ASCII and stays as it is before another one, because no key begins with the two.
  private let staysBeforeASCII: [Bool]
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
    let kept = Dictionary(grouping: kept.filter { !$0.isEmpty }, by: { $0[0] }).mapValues {
      $0.sorted { $0.count > $1.count }
    }
    self.kept = kept
    if charactersMap.isEmpty {
      (trie, replacements) = ([], [])
      staysBeforeASCII = (0..<256).map { byte in byte < 0x80 && kept[UInt8(byte)] == nil }
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
    let trie = trie
    staysBeforeASCII = (0..<256).map { byte in
      guard byte < 0x80, kept[UInt8(byte)] == nil else { return false }
      guard let node = Self.child(of: Self.offset(trie[0]), UInt8(byte), trie) else { return true }
      return !node.isKey && (0..<0x80).allSatisfy { Self.child(of: node.index, $0, trie) == nil }
    }
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
      appendUnchanged(text, &position, &followsSpace, to: &out)
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

  /// Appends the text from a position on, up to the first character that can become another one or the last one.
  private func appendUnchanged(
    _ text: UnsafeBufferPointer<UInt8>, _ position: inout Int, _ followsSpace: inout Bool,
    to out: inout [UInt8]
  ) {
    let partLength = 4096
    let space = marksSpaces ? UInt32(0x8196e2) : 0x20
    let spaceLength = marksSpaces ? 3 : 1
    let removesExtraSpaces = removesExtraSpaces
    let last = text.count - 1
    func stays(_ position: Int, _ table: UnsafeBufferPointer<Bool>) -> Bool {
      position < last && table[Int(text[position])] && text[position + 1] < 0x80
    }
    staysBeforeASCII.withUnsafeBufferPointer { table in
      guard stays(position, table) else { return }
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 3 * partLength + 4) { buffer in
        let start = buffer.baseAddress!
        while stays(position, table) {
          let end = min(last, position + partLength)
          var next = start
          while position < end && table[Int(text[position])] && text[position &+ 1] < 0x80 {
            let byte = text[position]
            let isSpace = byte == 0x20
            UnsafeMutableRawPointer(next).storeBytes(of: isSpace ? space : UInt32(byte), as: UInt32.self)
            next += isSpace ? (followsSpace ? 0 : spaceLength) : 1
            followsSpace = isSpace && removesExtraSpaces
            position &+= 1
          }
          out.append(contentsOf: UnsafeBufferPointer(start: start, count: next - start))
        }
      }
    }
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
    var node = Self.offset(trie[0])
    var found: (Int, Int)?
    for index in position..<text.count {
      guard let child = Self.child(of: node, text[index], trie) else { break }
      node = child.index
      if child.isKey, node < trie.count {
        found = (index - position + 1, Int(trie[node] & (1 << 31 - 1)))
      }
    }
    return found
  }

  private static func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 1 << 9) >> 6)) }

  /// The place of a node's child, and whether the bytes so far are a key; nil if no key continues like this.
  @inline(__always)
  private static func child(of node: Int, _ byte: UInt8, _ trie: [UInt32]) -> (index: Int, isKey: Bool)? {
    let index = node ^ Int(byte)
    guard index < trie.count, case let unit = trie[index], unit & (1 << 31 | 0xff) == UInt32(byte) else {
      return nil
    }
    return (index ^ offset(unit), unit >> 8 & 1 == 1)
  }
}

extension SentencePieceNormalizer: Equatable {
  package static func == (a: SentencePieceNormalizer, b: SentencePieceNormalizer) -> Bool { a === b }
}
