import Foundation
import Support

/// The learning rate of an update from the number of updates before it.
package struct LearningRateSchedule: Sendable, Equatable {
  package enum Shape: String, NamedChoice {
    /// Linear warm-up, then ∝ step^-½ (Vaswani et al., 2017, section 5.3).
    case inverseSquareRoot = "inverse-sqrt"
    /// Linear warm-up, then half a cosine down to the last rate at the last step.
    case cosine
    /// Linear warm-up, then a line down to the last rate at the last step.
    case linear
    /// Linear warm-up, the peak, and over the last part of the steps a line down to the last rate (Hu et al., 2024).
    case warmupStableDecay = "warmup-stable-decay"
    /// Linear warm-up, then the peak.
    case constant
  }

  package let shape: Shape
  package let peak: Double
  /// Updates of linear warm-up, from ``initial``.
  package let warmup: Int
  /// Updates in all; ``Shape/inverseSquareRoot`` and ``Shape/constant`` do not depend on them.
  package let steps: Int
  /// The last rate as a share of the peak, of the shapes that end.
  package let end: Double
  /// The share of the steps at the end in which ``Shape/warmupStableDecay`` falls.
  package let decay: Double
  /// The rate of the first update.
  package let initial = 1e-7

  package init(
    shape: Shape, peak: Double, warmup: Int, steps: Int, end: Double = 0.1, decay: Double = 0.2
  ) {
    self.shape = shape
    self.peak = peak
    self.warmup = warmup
    self.steps = steps
    self.end = end
    self.decay = decay
  }

  package func rate(afterUpdates updates: Int) -> Double {
    if updates < warmup { return initial + Double(updates) * (peak - initial) / Double(warmup) }
    switch shape {
    case .constant: return peak
    case .inverseSquareRoot:
      return peak * (Double(max(warmup, 1)) / Double(max(updates, 1))).squareRoot()
    case .cosine:
      return peak * (end + (1 - end) * 0.5 * (1 + cos(.pi * progress(updates, from: Double(warmup)))))
    case .linear: return peak * (1 - (1 - end) * progress(updates, from: Double(warmup)))
    case .warmupStableDecay:
      return peak
        * (1 - (1 - end) * progress(updates, from: max(Double(warmup), (1 - decay) * Double(steps))))
    }
  }

  /// How much of the way from an update to the last one is done.
  private func progress(_ updates: Int, from start: Double) -> Double {
    min(1, max(0, (Double(updates) - start) / max(Double(steps) - start, 1)))
  }
}
