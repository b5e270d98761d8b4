/// Scale and shift of a normalization, or their gradients.
package struct NormParameters<Scalar: Real> {
  package let gamma: Vector<Scalar>
  package let beta: Vector<Scalar>

  package init(gamma: Vector<Scalar>, beta: Vector<Scalar>) {
    self.gamma = gamma
    self.beta = beta
  }

  /// Added to the variance, in layer and batch norm.
  package static var epsilon: Double { 1e-5 }
}
