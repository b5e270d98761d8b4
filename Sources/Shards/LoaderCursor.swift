/// Where a loader stands: the next sequence in the order of an epoch.
///
/// Saved with a checkpoint; the same for all ranks, and for any number of them.
package struct LoaderCursor: Codable, Equatable, Sendable {
  package var epoch: Int
  /// Position in the epoch's order, not the sequence's place in the text.
  package var window: Int

  package init(epoch: Int = 0, window: Int = 0) {
    self.epoch = epoch
    self.window = window
  }
}
