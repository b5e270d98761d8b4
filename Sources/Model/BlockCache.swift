/// Keys and values of one sequence in one block, context × d: a row for each token, the heads side by side.
package struct BlockCache<Scalar: Real> {
  package let keys, values: Operand<Scalar>

  package init(keys: Operand<Scalar>, values: Operand<Scalar>) { (self.keys, self.values) = (keys, values) }
}
