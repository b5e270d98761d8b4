import Foundation
import Support

/// The learning rate of an update from the number of updates before it.
package struct LearningRateSchedule: Sendable, Equatable {
  package enum Shape: String, NamedChoice {
    /// Linear warm-up, then ∝ step^-½ (Vaswani et al., 2017, section 5.3).
    case inverseSquareRoot = "inverse-sqrt"
    /// Linear warm-up, then half a cosine down to a tenth of the peak at the last step.
    case cosine
    /// Linear warm-up, then the peak.
    case constant
  }

  package let shape: Shape
  package let peak: Double
  /// Updates of linear warm-up, from ``initial``.
  package let warmup: Int
  /// Updates in all; only the cosine depends on it.
  package let steps: Int
  /// The rate of the first update.
  package let initial = 1e-7

  package init(shape: Shape, peak: Double, warmup: Int, steps: Int) {
    self.shape = shape
    self.peak = peak
    self.warmup = warmup
    self.steps = steps
  }

  package func rate(afterUpdates updates: Int) -> Double {
    if updates < warmup { return initial + Double(updates) * (peak - initial) / Double(warmup) }
    switch shape {
    case .constant: return peak
    case .inverseSquareRoot:
      return peak * (Double(max(warmup, 1)) / Double(max(updates, 1))).squareRoot()
    case .cosine:
      let progress = min(1, Double(updates - warmup) / Double(max(steps - warmup, 1)))
      return peak * (0.1 + 0.9 * 0.5 * (1 + cos(.pi * progress)))
    }
  }
}
