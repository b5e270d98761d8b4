/// The distribution that a tensor is drawn from before training.
package enum Distribution: Sendable, Equatable {
  case constant(Double)
  case normal(deviation: Double)
  /// Uniform in -bound...bound.
  case uniform(bound: Double)
}
