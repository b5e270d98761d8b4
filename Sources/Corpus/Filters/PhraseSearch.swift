import Foundation

/// Finds fixed phrases of lower-case ASCII letters in text of any case.
enum PhraseSearch {
  static let javascript = [Array("javascript".utf8)]
  static let loremIpsum = [Array("lorem ipsum".utf8)]
  /// The phrases by which C4's code recognizes policies.
  static let policy = [
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies",
  ].map { Array($0.utf8) }

  static func contains(_ phrases: [[UInt8]], _ text: UnsafeRawBufferPointer) -> Bool {
    phrases.contains { contains($0, text) }
  }

  /// Compares the first and the last byte at many positions at once, and the whole phrase only where both
  /// match.
  private static func contains(_ phrase: [UInt8], _ text: UnsafeRawBufferPointer) -> Bool {
    let length = phrase.count
    guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self), text.count >= length else {
      return false
    }
    return phrase.withUnsafeBufferPointer { phrase in
      typealias Lanes = SIMD16<UInt8>
      let first = Lanes(repeating: phrase[0]), last = Lanes(repeating: phrase[length - 1])
      let fold = Lanes(repeating: 0x20)
      let positions = text.count - length + 1
      var index = 0
      while index < positions {
        if index + 16 <= positions {
          let heads = UnsafeRawPointer(base + index).loadUnaligned(as: Lanes.self) | fold
          let tails = UnsafeRawPointer(base + index + length - 1).loadUnaligned(as: Lanes.self) | fold
          let both = unsafeBitCast((heads .== first) .& (tails .== last), to: SIMD2<UInt64>.self)
          if both[0] | both[1] == 0 {
            index += 16
            continue
          }
        }
        let end = min(index + 16, positions)
        while index < end {
          if matches(phrase, base + index) { return true }
          index += 1
        }
      }
      return false
    }
  }

  @inline(__always)
  private static func matches(_ phrase: UnsafeBufferPointer<UInt8>, _ text: UnsafePointer<UInt8>) -> Bool {
    for index in 0..<phrase.count {
      let byte = text[index]
      if (byte &- 0x41 < 26 ? byte | 0x20 : byte) != phrase[index] { return false }
    }
    return true
  }
}
