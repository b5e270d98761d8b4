import Support

/// Keys and values of one sequence that is being generated, so that each new token costs one row of work.
package final class KeyValueCache<Scalar: Real> {
  /// Tokens in it.
  package internal(set) var count = 0
  let blocks: [CachedBlock<Scalar>]
  private let context: Int
  private let arena: Arena

  init(_ configuration: ModelConfiguration, isHalf: Bool) throws(Failure) {
    context = configuration.context
    (blocks, arena) = try ArenaPlan.build { plan in
      (0..<configuration.layers).map { _ in
        CachedBlock(
          keys: plan.operand(configuration.context, configuration.dim, isHalf: isHalf),
          values: plan.operand(configuration.context, configuration.dim, isHalf: isHalf))
      }
    }
  }

  /// Tokens that still fit; at 0, clear it and begin again with the last part of the text.
  package var room: Int { context - count }

  package func clear() { count = 0 }
}

/// What one block keeps of a sequence, a row for each token, the heads side by side: context × d.
package struct CachedBlock<Scalar: Real> {
  package let keys, values: Operand<Scalar>

  package init(keys: Operand<Scalar>, values: Operand<Scalar>) { (self.keys, self.values) = (keys, values) }
}

/// New tokens of one sequence among those that are computed at once.
package struct CachedPiece<Scalar: Real> {
  package let cache: CachedBlock<Scalar>
  /// Of the first new token in its sequence.
  package let position: Int
  /// The new tokens among all.
  package let rows: Range<Int>

  package init(cache: CachedBlock<Scalar>, position: Int, rows: Range<Int>) {
    (self.cache, self.position, self.rows) = (cache, position, rows)
  }
}
