/// What one block keeps of a sequence, a row for each token, the heads side by side: context × d.
package struct BlockCache<Scalar: Real> {
  package let keys, values: Operand<Scalar>

  package init(keys: Operand<Scalar>, values: Operand<Scalar>) { (self.keys, self.values) = (keys, values) }
}
