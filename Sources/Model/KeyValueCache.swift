import Support

/// The keys and values of one sequence that is being generated, so that each new token costs one row of work.
package final class KeyValueCache<Scalar: Real> {
  /// Tokens in the cache.
  package internal(set) var count = 0
  let blocks: [BlockCache<Scalar>]
  private let context: Int
  /// Shared with the other caches that were made together.
  private let arena: Arena

  private init(blocks: [BlockCache<Scalar>], context: Int, arena: Arena) {
    (self.blocks, self.context, self.arena) = (blocks, context, arena)
  }

  /// Caches for `count` sequences, in one allocation: one of their own each would be rounded up to large pages.
  static func make(_ count: Int, _ configuration: ModelConfiguration, on device: some Operations<Scalar>)
    throws(Failure) -> [KeyValueCache]
  {
    let (blocks, arena) = try ArenaPlan.build(on: device) {
      Self.blocks(count, configuration, isBF16: device.operandsAreBF16, &$0)
    }
    return blocks.map { KeyValueCache(blocks: $0, context: configuration.context, arena: arena) }
  }

  /// The bytes that ``make(_:_:on:)`` would allocate.
  static func bytes(_ count: Int, _ configuration: ModelConfiguration, isBF16: Bool) -> Int {
    ArenaPlan.measure { Self.blocks(count, configuration, isBF16: isBF16, &$0) }
  }

  private static func blocks(
    _ count: Int, _ configuration: ModelConfiguration, isBF16: Bool, _ plan: inout ArenaPlan
  ) -> [[BlockCache<Scalar>]] {
    let (rows, columns) = (configuration.context, configuration.dim)
    return (0..<count).map { sequence in
      (0..<configuration.layers).map { layer in
        BlockCache(
          keys: plan.operand("\(sequence).\(layer).keys", rows, columns, isBF16: isBF16),
          values: plan.operand("\(sequence).\(layer).values", rows, columns, isBF16: isBF16))
      }
    }
  }

  /// Tokens that still fit. At 0, clear the cache and start again with the last part of the text.
  package var remainingCapacity: Int { context - count }

  package func clear() { count = 0 }
}
