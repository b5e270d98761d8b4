/// Which checkpoints of a run are kept: the newest, those of certain steps, and the best.
package struct Retention: ExpressibleByIntegerLiteral {
  private let newest: Int
  private let every: Int
  /// The loss on the validation split by step; nil if the best checkpoint is not asked for.
  private let losses: [Int: Double]?

  /// - Parameters:
  ///   - newest: how many of the newest.
  ///   - every: those of steps that it divides; 0 for none.
  ///   - losses: see ``losses``.
  package init(newest: Int, every: Int = 0, losses: [Int: Double]? = nil) {
    (self.newest, self.every, self.losses) = (newest, every, losses)
  }

  /// Only the newest ones.
  package init(integerLiteral newest: Int) { self.init(newest: newest) }

  init(_ train: TrainingConfiguration, losses: [Int: Double]) {
    self.init(newest: train.keepCheckpoints, every: train.keepEvery, losses: train.keepBest ? losses : nil)
  }

  /// The step of least loss among those that were evaluated, the first of equal ones; nil if none was, or if it is not asked
  /// for.
  func best(of steps: [Int]) -> Int? {
    guard let losses else { return nil }
    return steps.filter { losses[$0]?.isFinite == true }.min { (losses[$0]!, $0) < (losses[$1]!, $1) }
  }

  /// - Parameter steps: ascending.
  func kept(of steps: [Int]) -> Set<Int> {
    var kept = Set(steps.suffix(newest))
    if every > 0 { kept.formUnion(steps.filter { $0 > 0 && $0 % every == 0 }) }
    if let best = best(of: steps) { kept.insert(best) }
    return kept
  }
}
