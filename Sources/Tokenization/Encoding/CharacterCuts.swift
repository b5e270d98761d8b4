import Support

/// Character mode: where a text without pre-tokens can be cut so that encoding its parts gives its tokens: between two
/// characters that no token contains side by side.
///
/// Every merge makes a token, so no merge reaches across such a position. In text whose spaces are `▁`, words are cut
/// from each other like this unless a token holds two words; so the cache of words serves here too.
package final class CharacterCuts: @unchecked Sendable {
  // Written by `init` only.

  /// The token of each code point, or ``Vocabulary/missing``.
  let symbols: UnsafeMutablePointer<UInt32>
  /// A bit for each pair of ASCII characters that may be neighbors in a token.
  private let joinedASCII: UnsafeMutablePointer<UInt64>
  /// A bit for each hash of two other characters that may be.
  private let joined: UnsafeMutablePointer<UInt64>
  private static let joinedBits = 21
  /// Whether two characters without a token can be cut apart.
  private let cutsUnknown: Bool
  /// Whether such characters vanish, so that their neighbors can merge.
  private let dropsUnknown: Bool
  /// A character that begins a word wherever it stands, or no character.
  private let opener: UInt32
  /// 1 where a part begins between two of the characters that most text consists of: ASCII, and `▁` as number 128. A
  /// row of 256 bytes for each left one.
  private let nearCuts: UnsafeMutablePointer<UInt8>
  private static let mark: UInt32 = 0x2581
  private static let markNumber = 128

  /// `opener` always begins a word. Nil where a merge takes tokens that are not characters of the text.
  init?(_ tokenizer: Tokenizer, _ merges: ArraySlice<Tokenizer.Merge>, opener: Unicode.Scalar?) {
    let vocabulary = tokenizer.vocabulary
    var isMade = [Bool](repeating: false, count: vocabulary.count)
    for merge in merges { isMade[Int(merge.result)] = true }
    for merge in merges {
      for side in [merge.left, merge.right] where !isMade[Int(side)] {
        let bytes = vocabulary[side]
        if Self.character(bytes).length != bytes.count || side == tokenizer.unknown { return nil }
      }
      let whole = vocabulary.range(of: merge.result).count
      if whole != vocabulary.range(of: merge.left).count + vocabulary.range(of: merge.right).count {
        return nil
      }
    }
    symbols = LargePages.allocate(UInt32.self, count: 0x110000)
    symbols.initialize(repeating: Vocabulary.missing, count: 0x110000)
    joinedASCII = .allocate(capacity: 128 * 2)
    joinedASCII.initialize(repeating: 0, count: 128 * 2)
    joined = LargePages.allocate(UInt64.self, count: 1 << (Self.joinedBits - 6))
    joined.initialize(repeating: 0, count: 1 << (Self.joinedBits - 6))
    nearCuts = .allocate(capacity: (Self.markNumber + 1) << 8)
    nearCuts.initialize(repeating: 0, count: (Self.markNumber + 1) << 8)
    let hasFallback =
      tokenizer.byteFallback
      && (0...255).allSatisfy { byte in
        let name = "<0x" + Hashing.hexadecimal([UInt8(byte)]).uppercased() + ">"
        return vocabulary.id(of: Array(name.utf8)) != nil
      }
    dropsUnknown = tokenizer.unknown == nil && !hasFallback
    cutsUnknown =
      hasFallback || !tokenizer.byteFallback && tokenizer.unknown != nil && !tokenizer.fusesUnknown
    self.opener = opener?.value ?? .max - 1
    let texts = (0..<UInt32(vocabulary.count)).map { vocabulary.range(of: $0) }
    vocabulary.withBytes { bytes in
      for (id, range) in texts.enumerated() where (1...4).contains(range.count) {
        let text = UnsafeBufferPointer(rebasing: bytes[range])
        let (point, length) = Self.character(text.baseAddress!, text.count)
        if length == text.count, vocabulary.id(of: text) == UInt32(id) { symbols[Int(point)] = UInt32(id) }
      }
      for merge in merges {
        let text = UnsafeBufferPointer(rebasing: bytes[texts[Int(merge.result)]])
        var previous: UInt32?
        var position = 0
        while position < text.count {
          let (point, length) = Self.character(text.baseAddress! + position, text.count - position)
          if let previous { join(previous, point) }
          previous = point
          position += length
        }
      }
    }
    func point(_ number: Int) -> UInt32 { number == Self.markNumber ? Self.mark : UInt32(number) }
    for left in 0...Self.markNumber {
      for right in 0...Self.markNumber where cuts(between: point(left), point(right)) {
        nearCuts[left << 8 | right] = 1
      }
    }
  }

  deinit {
    nearCuts.deallocate()
    symbols.deallocate()
    joinedASCII.deallocate()
    joined.deallocate()
  }

  private func join(_ left: UInt32, _ right: UInt32) {
    if left | right < 128 {
      joinedASCII[Int(left) << 1 | Int(right) >> 6] |= 1 << UInt64(right & 63)
    } else {
      let bit = Self.hash(left, right)
      joined[bit >> 6] |= 1 << UInt64(bit & 63)
    }
  }

  @inline(__always)
  private static func hash(_ left: UInt32, _ right: UInt32) -> Int {
    Int(((UInt64(left) << 21 | UInt64(right)) &* Hashing.goldenRatio) >> UInt64(64 - joinedBits))
  }

  /// Sets bit i of `starts`, which has count / 64 + 1 words, where a part begins at byte i, and bit `count`.
  func findStarts(in text: UnsafeBufferPointer<UInt8>, _ starts: UnsafeMutablePointer<UInt64>) {
    guard let base = text.baseAddress, !text.isEmpty else {
      starts[0] = 1
      return
    }
    let count = text.count
    starts.update(repeating: 0, count: count / 64 + 1)
    let nearCuts = nearCuts
    // The word of `starts` that is being made.
    var (block, bits) = (0, UInt64(1))
    var (previous, position) = Self.character(base, count)
    var near = Self.number(of: previous)
    while position < count {
      if position >> 6 != block {
        starts[block] = bits
        (block, bits) = (position >> 6, 0)
      }
      let shift = UInt64(truncatingIfNeeded: position & 63)
      if near >= 0 && position &+ 4 <= count {
        let byte = base[position]
        if byte < 0x80 && base[position &+ 1] & 0xc0 != 0x80 {
          bits |= UInt64(nearCuts[near &<< 8 | Int(byte)]) &<< shift
          near = Int(byte)
          position &+= 1
          continue
        }
        if byte == 0xe2 && base[position &+ 1] == 0x96 && base[position &+ 2] == 0x81
          && base[position &+ 3] & 0xc0 != 0x80
        {
          bits |= UInt64(nearCuts[near &<< 8 | Self.markNumber]) &<< shift
          near = Self.markNumber
          position &+= 3
          continue
        }
      }
      if near >= 0 { previous = near == Self.markNumber ? Self.mark : UInt32(near) }
      let (point, length) = Self.character(base + position, count &- position)
      if cuts(between: previous, point) { bits |= 1 &<< shift }
      previous = point
      near = Self.number(of: point)
      position &+= length
    }
    starts[block] = bits
    starts[count >> 6] |= 1 << UInt64(count & 63)
  }

  /// The number of a character in ``nearCuts``, or -1.
  @inline(__always)
  private static func number(of point: UInt32) -> Int {
    point < 128 ? Int(point) : point == mark ? markNumber : -1
  }

  /// Whether a part begins between two neighbors; `UInt32.max` is what is no character.
  private func cuts(between left: UInt32, _ right: UInt32) -> Bool {
    if right == opener { return true }
    let isJoined: Bool
    if left == .max || right == .max {
      isJoined = true
    } else if left | right < 128 {
      isJoined = joinedASCII[Int(left) << 1 | Int(right) >> 6] >> UInt64(right & 63) & 1 == 1
    } else {
      let bit = Self.hash(left, right)
      isJoined = joined[bit >> 6] >> UInt64(bit & 63) & 1 == 1
    }
    if isJoined { return false }
    if cutsUnknown { return true }
    return dropsUnknown ? isKnown(left) && isKnown(right) : isKnown(left) || isKnown(right)
  }

  @inline(__always) private func isKnown(_ point: UInt32) -> Bool {
    point < 0x110000 && symbols[Int(point)] != Vocabulary.missing
  }

  /// The character at the start of `bytes` and its length: up to the next byte that is not 10xxxxxx. One that is not
  /// well-formed (Unicode, table 3-7) is `UInt32.max`.
  @inline(__always)
  static func character(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> (point: UInt32, length: Int) {
    let lead = UInt32(bytes[0])
    if lead < 0x80 {
      return count > 1 && bytes[1] & 0xc0 == 0x80 ? (.max, length(bytes, count)) : (lead, 1)
    }
    let length = length(bytes, count)
    func rest(_ index: Int) -> UInt32 { UInt32(bytes[index] & 0x3f) }
    switch length {
    case 2 where lead & 0xe0 == 0xc0 && lead >= 0xc2: return ((lead & 0x1f) << 6 | rest(1), 2)
    case 3 where lead & 0xf0 == 0xe0:
      let point = (lead & 0x0f) << 12 | rest(1) << 6 | rest(2)
      return (point >= 0x800 && point >> 11 != 0x1b ? point : .max, 3)
    case 4 where lead & 0xf8 == 0xf0:
      let point = (lead & 0x07) << 18 | rest(1) << 12 | rest(2) << 6 | rest(3)
      return (point >= 0x10000 && point <= 0x10ffff ? point : .max, 4)
    default: return (.max, length)
    }
  }

  private static func character(_ bytes: [UInt8]) -> (point: UInt32, length: Int) {
    bytes.withUnsafeBufferPointer { $0.isEmpty ? (.max, -1) : character($0.baseAddress!, $0.count) }
  }

  @inline(__always)
  private static func length(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var length = 1
    while length < count && bytes[length] & 0xc0 == 0x80 { length &+= 1 }
    return length
  }
}
