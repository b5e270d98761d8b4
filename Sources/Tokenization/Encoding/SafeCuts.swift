import Support

/// Where a word can be cut so that its parts, each encoded for itself, have its tokens: between two characters outside ASCII
/// that no token holds side by side, not even in part.
///
/// A merge makes a token, so no merge ever reaches across such a place: on each side the same merges happen as without the
/// other, in the same order. Chinese and Japanese, which write whole clauses without a space, come apart into words that
/// are found in the cache again.
final class SafeCuts: @unchecked Sendable {
  // Written by `init` only.

  /// A bit for each code point that a token holds whole.
  private let known: UnsafeMutablePointer<UInt64>
  /// A bit for each hash of two known code points that may be neighbors in a token.
  private let joined: UnsafeMutablePointer<UInt64>
  private static let joinedBits = 20
  /// The bytes on the left of a border in a token that begins inside the character there, and on the right of one in a token
  /// that ends inside it: their low six bits.
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
    // The characters that a part of one may belong to.
    var endingSo: [ArraySlice<UInt8>: [UInt32]] = [:]
    var beginningSo: [ArraySlice<UInt8>: [UInt32]] = [:]
    for token in tokens {
      for place in 1..<token.count where token[place] >= 0xc0 && token[place - 1] >= 0x80 {
        let left = token[(token[..<place].lastIndex { $0 & 0xc0 != 0x80 } ?? 0)..<place]
        let right = token[place..<(token[(place + 1)...].firstIndex { $0 & 0xc0 != 0x80 } ?? token.count)]
        if left[left.startIndex] & 0xc0 == 0x80 {
          endingSo[left] = []
          tails |= 1 << UInt64(token[place - 1] & 63)
        }
        if Self.character(right).point == 0 && right.endIndex == token.count {
          beginningSo[right] = []
          heads |= 1 << UInt64(token[place] & 63)
        }
        borders.append((left, right))
      }
    }
    if !endingSo.isEmpty || !beginningSo.isEmpty {
      for point in points {
        let bytes = Array(String(Unicode.Scalar(point)!).utf8)
        for length in 1..<bytes.count {
          endingSo[bytes.suffix(length)]?.append(point)
          beginningSo[bytes.prefix(length)]?.append(point)
        }
      }
    }
    /// Those of a well-formed text that can be on this side; none if it cannot go on like this.
    func fitting(_ side: ArraySlice<UInt8>, _ parts: [ArraySlice<UInt8>: [UInt32]]) -> [UInt32] {
      if let known = parts[side] { return known }
      let (point, length) = Self.character(side)
      return point != 0 && length == side.count ? [point] : []
    }
    for (left, right) in borders {
      for first in fitting(left, endingSo) {
        for second in fitting(right, beginningSo) {
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

  /// Where the first part of a word ends.
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
    // What no token holds whole can still be there in part.
    if tails >> UInt64(left & 63) & 1 == 1 && !isKnown(previous) { return false }
    return heads >> UInt64(right & 63) & 1 == 0 || isKnown(point)
  }

  @inline(__always)
  private static func hash(_ left: UInt32, _ right: UInt32) -> Int {
    Int(((UInt64(left) << 21 | UInt64(right)) &* 0x9e37_79b9_7f4a_7c15) >> UInt64(64 - joinedBits))
  }

  @inline(__always) private func isKnown(_ point: UInt32) -> Bool {
    known[Int(point >> 6)] >> UInt64(point & 63) & 1 == 1
  }

  /// The well-formed character outside ASCII that `bytes` begin with, and its length; 0 and 1 for anything else.
  @inline(__always)
  private static func character(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> (point: UInt32, length: Int) {
    let lead = UInt32(bytes[0])
    // Of a byte 10xxxxxx what is below 0x40, of any other more.
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
