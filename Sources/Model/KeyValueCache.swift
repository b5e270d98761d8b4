import Support

/// Keys and values of one sequence that is being generated, so that each new token costs one row of work.
package final class KeyValueCache<Scalar: Real> {
  /// Tokens in it.
  package internal(set) var count = 0
  let blocks: [BlockCache<Scalar>]
  private let context: Int
  private let arena: Arena

  init(_ configuration: ModelConfiguration, isBF16: Bool) throws(Failure) {
    context = configuration.context
    (blocks, arena) = try ArenaPlan.build { plan in
      (0..<configuration.layers).map { _ in
        BlockCache(
          keys: plan.operand(configuration.context, configuration.dim, isBF16: isBF16),
          values: plan.operand(configuration.context, configuration.dim, isBF16: isBF16))
      }
    }
  }

  /// Tokens that still fit; at 0, clear it and begin again with the last part of the text.
  package var room: Int { context - count }

  package func clear() { count = 0 }
}
