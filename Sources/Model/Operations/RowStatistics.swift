/// Mean and 1/deviation of each row, kept by layer norm for its backward pass.
package struct RowStatistics<Scalar: Real> {
  package let mean: Vector<Scalar>
  package let inverseDeviation: Vector<Scalar>

  package init(mean: Vector<Scalar>, inverseDeviation: Vector<Scalar>) {
    self.mean = mean
    self.inverseDeviation = inverseDeviation
  }
}
