/// Decides which steps are skipped: those whose loss or gradient is not a number, and spikes.
///
/// A spike is a gradient whose norm is more than `spike` times the mean of the norms before it. The mean is exponential:
/// m = 0.9 m + 0.1 norm after every step that is not skipped, and the first of those norms at its start.
package struct StepGuard {
  /// What a resumed run has to know.
  package struct State: Codable, Equatable, Sendable {
    /// nil before the first step, and where spikes are not looked for.
    package var normMean: Double?
    /// Steps that were skipped, in all and since the last one that was not.
    package var skipped = 0, inARow = 0

    package enum CodingKeys: String, CodingKey {
      case skipped
      case normMean = "norm_mean"
      case inARow = "in_a_row"
    }

    package init() {}
  }

  /// 0 looks for no spikes.
  private let spike: Double
  /// How many steps may be skipped in a row.
  private let limit: Int
  private(set) var state: State

  init(_ train: TrainingConfiguration, _ state: State?) {
    (spike, limit, self.state) = (train.spike, train.maxSkips, state ?? State())
  }

  /// nil where there is nothing to remember, as in runs of earlier versions.
  var stateToSave: State? { state == State() ? nil : state }

  /// Too many steps were skipped in a row.
  var isExhausted: Bool { state.inARow > limit }

  func isSpike(_ norm: Double) -> Bool { spike > 0 && state.normMean.map { norm > spike * $0 } ?? false }

  func accepts(loss: Double, norm: Double) -> Bool { loss.isFinite && norm.isFinite && !isSpike(norm) }

  mutating func count(norm: Double, isSkipped: Bool) {
    if isSkipped {
      state.skipped += 1
      state.inARow += 1
    } else {
      state.inARow = 0
      if spike > 0 { state.normMean = state.normMean.map { 0.9 * $0 + 0.1 * norm } ?? norm }
    }
  }
}
