import Support

/// The keys and values of one sequence that is being generated, so that each new token costs one row of work.
package final class KeyValueCache<Scalar: Real> {
  /// Tokens in the cache.
  package internal(set) var count = 0
  let blocks: [BlockCache<Scalar>]
  private let context: Int
  private let arena: Arena

  init(_ configuration: ModelConfiguration, on device: some Operations<Scalar>) throws(Failure) {
    let isBF16 = device.operandsAreBF16
    context = configuration.context
    (blocks, arena) = try ArenaPlan.build(on: device) { plan in
      (0..<configuration.layers).map { layer in
        BlockCache(
          keys: plan.operand("\(layer).keys", configuration.context, configuration.dim, isBF16: isBF16),
          values: plan.operand("\(layer).values", configuration.context, configuration.dim, isBF16: isBF16))
      }
    }
  }

  /// Tokens that still fit. At 0, clear the cache and start again with the last part of the text.
  package var remainingCapacity: Int { context - count }

  package func clear() { count = 0 }
}
