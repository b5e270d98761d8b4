/// The new tokens of one sequence among all tokens of a pass.
package struct CacheSpan<Scalar: Real> {
  package let cache: BlockCache<Scalar>
  /// The position of the first new token in its sequence.
  package let position: Int
  /// The rows of the new tokens among those of all.
  package let rows: Range<Int>

  package init(cache: BlockCache<Scalar>, position: Int, rows: Range<Int>) {
    (self.cache, self.position, self.rows) = (cache, position, rows)
  }
}
