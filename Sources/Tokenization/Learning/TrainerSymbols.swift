import Foundation

/// The symbols of a trainer: their texts, lengths and sizes.
final class TrainerSymbols {
  /// The number of positions of each symbol, which is that of the symbols of the alphabet in it.
  private(set) var lengths: UnsafeMutablePointer<UInt32>
  private var capacity: Int
  private(set) var count = 0
  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  /// The first eight bytes of each text, big-endian, which decide most comparisons.
  private var prefixes: [UInt64] = []
  /// Whether each symbol carries the end-of-word mark.
  private var isFinal: [Bool] = []
  /// The bytes of each symbol; in word mode its characters without the mark.
  private var sizes: [Int] = []
  private let marksEndOfWord: Bool
  private let maximumSize: Int
  private let maximumWords: Int?
  /// The words of each symbol, if they are counted.
  private var wordCounts: [Int] = []
  private let reserved: Vocabulary
  /// Bit n is set if a reserved text has n bytes; bit 63 also stands for longer texts.
  private let reservedLengths: UInt64

  /// No symbol may become larger than `maximumSize` (bytes, or characters in word mode) or equal to one of
  /// the `reserved` texts. With `maximumWords` none may have more words, which are what lies between spaces, nor a
  /// colon in front of a space, which often ends a prompt.
  init(
    _ alphabet: [[UInt8]], marksEndOfWord: Bool, maximumSize: Int, reserved: [[UInt8]],
    maximumWords: Int? = nil
  ) {
    capacity = max(1024, alphabet.count * 2)
    lengths = .allocate(capacity: capacity)
    self.marksEndOfWord = marksEndOfWord
    self.maximumSize = maximumSize
    self.maximumWords = maximumWords
    self.reserved = Vocabulary(reserved)
    reservedLengths = reserved.reduce(0) { $0 | 1 << UInt64(min(63, $1.count)) }
    for text in alphabet {
      // A single character is shorter than the mark, so a text of the alphabet that ends in it is marked.
      let isMarked = marksEndOfWord && text.count > 4 && text.suffix(4).elementsEqual(EndOfWord.mark)
      isFinal.append(isMarked)
      sizes.append(marksEndOfWord ? Characters.count(in: isMarked ? text.dropLast(4) : text) : text.count)
      if maximumWords != nil { wordCounts.append(text.split(separator: 0x20).count) }
      append(text, length: 1)
    }
  }

  deinit { lengths.deallocate() }

  /// Adds the symbol that `left` and `right` merge to, and returns it.
  func append(_ left: UInt32, _ right: UInt32) -> UInt32 {
    let text = Array(bytes[range(Int(left))]) + bytes[range(Int(right))]
    if maximumWords != nil { wordCounts.append(words(left, right)) }
    isFinal.append(isFinal[Int(right)])
    sizes.append(sizes[Int(left)] + sizes[Int(right)])
    append(text, length: lengths[Int(left)] + lengths[Int(right)])
    return UInt32(count - 1)
  }

  private func append(_ text: [UInt8], length: UInt32) {
    if count == capacity {
      let larger = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity * 2)
      larger.update(from: lengths, count: count)
      lengths.deallocate()
      lengths = larger
      capacity *= 2
    }
    lengths[count] = length
    count += 1
    bytes.append(contentsOf: text)
    ends.append(bytes.count)
    prefixes.append((0..<8).reduce(0) { $0 << 8 | UInt64($1 < text.count ? text[$1] : 0) })
  }

  /// The words of a pair: those of both, and one less where a word goes on from the one to the other.
  private func words(_ left: UInt32, _ right: UInt32) -> Int {
    let goesOn = bytes[range(Int(left)).upperBound - 1] != 0x20 && bytes[range(Int(right)).lowerBound] != 0x20
    return wordCounts[Int(left)] + wordCounts[Int(right)] - (goesOn ? 1 : 0)
  }

  private func range(_ symbol: Int) -> Range<Int> { (symbol == 0 ? 0 : ends[symbol - 1])..<ends[symbol] }

  /// Whether a pair may never be merged: because the result would be too large, or because codes and
  /// vocabularies could not tell it from something else. Such a result is a reserved text, or a symbol inside
  /// a word whose text ends in the four literal characters `</w>`.
  func isRefused(_ key: UInt64) -> Bool {
    let (first, second) = (Int(key >> 32), Int(UInt32(truncatingIfNeeded: key)))
    if sizes[first] + sizes[second] > maximumSize { return true }
    let (left, right) = (range(first), range(second))
    if let maximumWords {
      if words(UInt32(first), UInt32(second)) > maximumWords { return true }
      if bytes[left.upperBound - 1] == UInt8(ascii: ":") && bytes[right.lowerBound] == 0x20 { return true }
    }
    if reservedLengths >> UInt64(min(63, left.count + right.count)) & 1 != 0,
      reserved.id(of: Array(bytes[left]) + bytes[right]) != nil
    {
      return true
    }
    guard marksEndOfWord, bytes[right.upperBound - 1] == EndOfWord.mark.last else { return false }
    if isFinal[second] { return false }
    return (bytes[left].suffix(3) + bytes[right].suffix(4)).suffix(4).elementsEqual(EndOfWord.mark)
  }

  /// Whether pair `a` is larger than pair `b`, as strings (left, right). The order of UTF-8 is that of code
  /// points.
  func isLarger(_ a: UInt64, _ b: UInt64) -> Bool {
    var order = compare(Int(a >> 32), Int(b >> 32))
    if order == 0 { order = compare(Int(UInt32(truncatingIfNeeded: a)), Int(UInt32(truncatingIfNeeded: b))) }
    return order != 0 ? order > 0 : a < b
  }

  private func compare(_ a: Int, _ b: Int) -> Int {
    if a == b { return 0 }
    if prefixes[a] != prefixes[b] { return prefixes[a] < prefixes[b] ? -1 : 1 }
    let (first, second) = (range(a), range(b))
    return bytes.withUnsafeBufferPointer {
      let order = memcmp(
        $0.baseAddress! + first.lowerBound, $0.baseAddress! + second.lowerBound,
        min(first.count, second.count))
      return order != 0 ? Int(order) : first.count - second.count
    }
  }
}
