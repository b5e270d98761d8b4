import Model

/// What the ranks of one training run exchange in a step. Each rank computes its own part of the batch.
///
/// All ranks call the same methods in the same order. Gradients are added up in the order of the ranks, so that all of
/// them hold the same bits afterwards.
package protocol Collective: Sendable {
  /// Counted from 0, below ``rankCount``.
  var rank: Int { get }
  var rankCount: Int { get }

  /// The sum over all ranks.
  func sum(_ count: Int) -> Int
  /// gradients = their sum over all ranks.
  func sum(_ gradients: Vector<Float>, on device: some Operations<Float>)
  /// Appends the reads of all other ranks, in the order of the ranks.
  func gather(_ gradient: ValueGradient<Float>, on device: some Operations<Float>)
  /// Whether it is true on any rank.
  func agree(_ isTrue: Bool) -> Bool
}

/// The only rank of a run.
package struct SingleProcess: Collective {
  package init() {}

  package var rank: Int { 0 }
  package var rankCount: Int { 1 }
  package func sum(_ count: Int) -> Int { count }
  package func sum(_ gradients: Vector<Float>, on device: some Operations<Float>) {}
  package func gather(_ gradient: ValueGradient<Float>, on device: some Operations<Float>) {}
  package func agree(_ isTrue: Bool) -> Bool { isTrue }
}
