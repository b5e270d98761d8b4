/// The numbers of one Adam update (Kingma and Ba, 2015) in XLM's form, with epsilon outside the bias correction:
/// p -= lr · √(1-β2^t) / (1-β1^t) · m / (√v + ε).
package struct AdamStep: Sendable, Equatable {
  package var learningRate: Double
  package var beta1: Double
  package var beta2: Double
  package var epsilon: Double
  /// t, counted from 1.
  package var step: Int
  /// Multiplies the gradient first.
  package var gradientScale: Double
  /// Multiplies the gradient, too.
  package var clipping: GradientClipping?
  /// Seeds the stochastic rounding of values in bf16.
  package var roundingKey: UInt64

  package init(
    learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, step: Int,
    gradientScale: Double = 1, clipping: GradientClipping? = nil, roundingKey: UInt64 = 0
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.step = step
    self.gradientScale = gradientScale
    self.clipping = clipping
    self.roundingKey = roundingKey
  }
}

/// Scales gradients down to a norm of at most `limit`, from a squared norm that the device has summed up.
package struct GradientClipping: Sendable, Equatable {
  package let limit: Double
  package let squaredNorm: DeviceArray<Double>

  package init(limit: Double, squaredNorm: DeviceArray<Double>) {
    (self.limit, self.squaredNorm) = (limit, squaredNorm)
  }

  /// The factor for a gradient of this squared norm.
  func factor(squaredNorm: Double) -> Double {
    let norm = squaredNorm.squareRoot()
    return norm > limit ? limit / norm : 1
  }
}
