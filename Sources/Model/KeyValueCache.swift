import Support

/// Keys and values of one sequence that is being generated, so that each new token costs one row of work.
package final class KeyValueCache<Scalar: Real> {
  /// Tokens in it.
  package internal(set) var count = 0
  /// For each block the keys of its heads, one head after the other, then their values: 2 heads · context × d / heads.
  let blocks: [Matrix<Scalar>]
  private let context: Int
  private let arena: Arena

  init(_ configuration: ModelConfiguration) throws(Failure) {
    context = configuration.context
    (blocks, arena) = try ArenaPlan.build { plan in
      (0..<configuration.layers).map { _ in
        plan.matrix(
          2 * configuration.heads * configuration.context, configuration.dim / configuration.heads)
      }
    }
  }

  /// Tokens that still fit; at 0, clear it and begin again with the last part of the text.
  package var room: Int { context - count }

  package func clear() { count = 0 }
}

/// New tokens of one sequence among those that are computed at once.
package struct CachedPiece<Scalar: Real> {
  /// Keys and values of one block, as ``KeyValueCache/blocks`` has them.
  package let cache: Matrix<Scalar>
  /// Of the first new token in its sequence.
  package let position: Int
  /// The new tokens among all.
  package let rows: Range<Int>

  package init(cache: Matrix<Scalar>, position: Int, rows: Range<Int>) {
    (self.cache, self.position, self.rows) = (cache, position, rows)
  }
}
