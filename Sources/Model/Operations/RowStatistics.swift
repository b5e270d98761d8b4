/// Mean and 1 / standard deviation of each row, which layer norm saves for its backward pass.
package struct RowStatistics<Scalar: Real> {
  package let mean: Vector<Scalar>
  package let inverseDeviation: Vector<Scalar>

  package init(mean: Vector<Scalar>, inverseDeviation: Vector<Scalar>) {
    self.mean = mean
    self.inverseDeviation = inverseDeviation
  }
}
