/// New tokens of one sequence among those that are computed at once.
package struct CacheSpan<Scalar: Real> {
  package let cache: BlockCache<Scalar>
  /// Of the first new token in its sequence.
  package let position: Int
  /// The new tokens among all.
  package let rows: Range<Int>

  package init(cache: BlockCache<Scalar>, position: Int, rows: Range<Int>) {
    (self.cache, self.position, self.rows) = (cache, position, rows)
  }
}
