/// Numbers of one Adam update.
///
/// XLM's form, with epsilon outside the bias correction:
/// p -= lr · √(1-β2^t) / (1-β1^t) · m / (√v + ε).
package struct AdamStep: Sendable, Equatable {
  package var learningRate: Double
  package var beta1: Double
  package var beta2: Double
  package var epsilon: Double
  /// t, counted from 1.
  package var step: Int
  /// Multiplies the gradient first: the clipping factor.
  package var gradientScale: Double
  /// Decides how values in bfloat16 are rounded.
  package var roundingKey: UInt64

  package init(
    learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, step: Int,
    gradientScale: Double = 1, roundingKey: UInt64 = 0
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.step = step
    self.gradientScale = gradientScale
    self.roundingKey = roundingKey
  }
}
