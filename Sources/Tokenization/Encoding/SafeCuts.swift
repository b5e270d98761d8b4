import Support

/// Finds positions where a word can be cut so that encoding its parts gives its tokens: between two
/// characters outside ASCII that no token contains side by side, not even in part.
///
/// Every merge makes a token, so no merge reaches across such a position: on each side the same merges happen
/// in the same order as without the other side. So Chinese and Japanese, which write whole clauses without a
/// space, are cut into words that the cache knows.
final class SafeCuts: @unchecked Sendable {
  // Written by `init` only.

  /// A bit for each code point that a token contains as a whole.
  private let known: UnsafeMutablePointer<UInt64>
  /// A bit for each hash of two code points that may be neighbors in a token.
  private let joined: UnsafeMutablePointer<UInt64>
  private static let joinedBits = 20
  /// For tokens that begin inside a character: a bit for the low six bits of the last byte of that character.
  /// For tokens that end inside a character: the same for its first byte.
  private var tails: UInt64 = 0
  private var heads: UInt64 = 0

  init(_ vocabulary: Vocabulary, _ merges: ArraySlice<Tokenizer.Merge>) {
    known = LargePages.allocate(UInt64.self, count: 0x110000 / 64)
    known.initialize(repeating: 0, count: 0x110000 / 64)
    joined = LargePages.allocate(UInt64.self, count: 1 << (Self.joinedBits - 6))
    joined.initialize(repeating: 0, count: 1 << (Self.joinedBits - 6))
    let made = vocabulary.withBytes { bytes in
      merges.map(\.result).filter { bytes[vocabulary.range(of: $0)].contains { $0 >= 0x80 } }
    }
    let tokens = made.map { vocabulary[$0] }.filter { $0.count > 1 }
    var points: [UInt32] = []
    for token in tokens {
      var position = 0
      while position < token.count {
        let (point, length) = Self.character(token[position...])
        position += length
        if point == 0 || isKnown(point) { continue }
        known[Int(point >> 6)] |= 1 << UInt64(point & 63)
        points.append(point)
      }
    }
    var borders: [(left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)] = []
    // The known code points that end, or begin, with the bytes of an incomplete character.
    var pointsBySuffix: [ArraySlice<UInt8>: [UInt32]] = [:]
    var pointsByPrefix: [ArraySlice<UInt8>: [UInt32]] = [:]
    for token in tokens {
      for border in 1..<token.count where token[border] >= 0xc0 && token[border - 1] >= 0x80 {
        let left = token[(token[..<border].lastIndex { $0 & 0xc0 != 0x80 } ?? 0)..<border]
        let right = token[border..<(token[(border + 1)...].firstIndex { $0 & 0xc0 != 0x80 } ?? token.count)]
        if left[left.startIndex] & 0xc0 == 0x80 {
          pointsBySuffix[left] = []
          tails |= 1 << UInt64(token[border - 1] & 63)
        }
        if Self.character(right).point == 0 && right.endIndex == token.count {
          pointsByPrefix[right] = []
          heads |= 1 << UInt64(token[border] & 63)
        }
        borders.append((left, right))
      }
    }
    if !pointsBySuffix.isEmpty || !pointsByPrefix.isEmpty {
      for point in points {
        let bytes = Array(String(Unicode.Scalar(point)!).utf8)
        for length in 1..<bytes.count {
          pointsBySuffix[bytes.suffix(length)]?.append(point)
          pointsByPrefix[bytes.prefix(length)]?.append(point)
        }
      }
    }
    /// The code points that these bytes can belong to in well-formed text.
    func possiblePoints(of side: ArraySlice<UInt8>, _ incomplete: [ArraySlice<UInt8>: [UInt32]]) -> [UInt32] {
      if let known = incomplete[side] { return known }
      let (point, length) = Self.character(side)
      return point != 0 && length == side.count ? [point] : []
    }
    for (left, right) in borders {
      for first in possiblePoints(of: left, pointsBySuffix) {
        for second in possiblePoints(of: right, pointsByPrefix) {
          let bit = Self.hash(first, second)
          joined[bit >> 6] |= 1 << UInt64(bit & 63)
        }
      }
    }
  }

  deinit {
    known.deallocate()
    joined.deallocate()
  }

  /// The end of the first part of a word.
  @inline(never)
  func firstCut(_ word: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var position = 0
    var previous: UInt32 = 0
    while position < count {
      if word[position] < 0x80 {
        previous = 0
        position &+= 1
        continue
      }
      let (point, length) = Self.character(word + position, count &- position)
      if previous != 0 && point != 0
        && isSafe(previous, point, left: word[position &- 1], right: word[position])
      {
        return position
      }
      previous = point
      position &+= length
    }
    return position
  }

  @inline(__always)
  private func isSafe(_ previous: UInt32, _ point: UInt32, left: UInt8, right: UInt8) -> Bool {
    let bit = Self.hash(previous, point)
    if joined[bit >> 6] >> UInt64(bit & 63) & 1 == 1 { return false }
    // A character that no token contains as a whole can still be in a token in part.
    if tails >> UInt64(left & 63) & 1 == 1 && !isKnown(previous) { return false }
    return heads >> UInt64(right & 63) & 1 == 0 || isKnown(point)
  }

  @inline(__always)
  private static func hash(_ left: UInt32, _ right: UInt32) -> Int {
    Int(((UInt64(left) << 21 | UInt64(right)) &* Hashing.goldenRatio) >> UInt64(64 - joinedBits))
  }

  @inline(__always) private func isKnown(_ point: UInt32) -> Bool {
    known[Int(point >> 6)] >> UInt64(point & 63) & 1 == 1
  }

  /// The well-formed character outside ASCII at the start of `bytes`, and its length; 0 and 1 for anything
  /// else.
  @inline(__always)
  private static func character(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> (point: UInt32, length: Int) {
    let lead = UInt32(bytes[0])
    // Below 0x40 only for a byte 10xxxxxx.
    func rest(_ index: Int) -> UInt32 { UInt32(bytes[index]) ^ 0x80 }
    if lead & 0xf0 == 0xe0 && count >= 3 {
      let (second, third) = (rest(1), rest(2))
      let point = (lead & 0x0f) << 12 | second << 6 | third
      if second | third < 0x40 && point >= 0x800 && point >> 11 != 0x1b { return (point, 3) }
    } else if lead & 0xe0 == 0xc0 && count >= 2 {
      let point = (lead & 0x1f) << 6 | rest(1)
      if rest(1) < 0x40 && point >= 0x80 { return (point, 2) }
    } else if lead & 0xf8 == 0xf0 && count >= 4 {
      let (second, third, fourth) = (rest(1), rest(2), rest(3))
      let point = (lead & 0x07) << 18 | second << 12 | third << 6 | fourth
      if second | third | fourth < 0x40 && point >= 0x10000 && point <= 0x10ffff { return (point, 4) }
    }
    return (0, 1)
  }

  private static func character(_ bytes: ArraySlice<UInt8>) -> (point: UInt32, length: Int) {
    bytes.withUnsafeBufferPointer { character($0.baseAddress!, $0.count) }
  }
}
