/// Sums over the scored tokens, in nats.
package struct Loss: Equatable, Sendable {
  /// Negative log-likelihood without smoothing, which perplexity is computed from.
  package var nll = 0.0
  /// With label smoothing: the objective of training.
  package var smoothed = 0.0
  /// Scored tokens.
  package var count = 0

  package init(nll: Double = 0, smoothed: Double = 0, count: Int = 0) {
    self.nll = nll
    self.smoothed = smoothed
    self.count = count
  }

  package static func += (a: inout Loss, b: Loss) {
    a.nll += b.nll
    a.smoothed += b.smoothed
    a.count += b.count
  }
}
