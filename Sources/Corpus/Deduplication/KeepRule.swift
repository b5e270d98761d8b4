import Support

/// Which document of a cluster of near-duplicates is kept.
///
/// Among equals it is the first one in the order of the input.
package enum KeepRule: Sendable, Equatable, Codable {
  case first
  /// The one with the most bytes of text.
  case longest
  /// The one with the greatest value of a JSON field or, if `least`, the smallest.
  ///
  /// Numbers are compared as numbers, and strings by their first 16 bytes. A document without the field comes
  /// last.
  case field(String, least: Bool)

  /// The document with the greatest weight is kept.
  struct Weight: Equatable {
    var high: UInt64 = 0
    var low: UInt64 = 0

    static func < (a: Weight, b: Weight) -> Bool { (a.high, a.low) < (b.high, b.low) }
  }

  func weight(of index: Int, in batch: DocumentBatch) throws -> Weight {
    switch self {
    case .first: return Weight()
    case .longest: return Weight(high: UInt64(batch.ranges[index].count))
    case .field(let name, let least):
      guard !batch.envelopes.isEmpty else {
        throw Failure(
          .usage, "only JSON lines have fields", file: batch.source.path,
          remedy: "Give --keep first or --keep longest")
      }
      let envelope = batch.envelopes[index]
      let line = batch.bytes[envelope.before] + Array("\"\"".utf8) + batch.bytes[envelope.after]
      var value: JSONValue? = try JSONValue(parsing: Array(line), file: batch.source.path)
      for key in name.split(separator: ".") { value = value?[String(key)] }
      guard let weight = value.flatMap(Self.weight) else { return Weight() }
      return least ? Weight(high: ~weight.high, low: ~weight.low) : weight
    }
  }

  private static func weight(_ value: JSONValue) -> Weight? {
    switch value {
    case .number(let number):
      // With the sign bit flipped, and negative numbers inverted, the order of the bits is the order of the
      // numbers.
      let bits = number.bitPattern
      return Weight(high: bits >> 63 == 0 ? bits | 1 << 63 : ~bits)
    case .string(let bytes):
      func word(_ range: Range<Int>) -> UInt64 {
        range.reduce(0) { $0 << 8 | ($1 < bytes.count ? UInt64(bytes[$1]) : 0) }
      }
      return Weight(high: word(0..<8), low: word(8..<16))
    case .bool(let bool): return Weight(high: bool ? 2 : 1)
    default: return nil
    }
  }
}
