/// The position of a loader: the next sequence in the order of an epoch.
///
/// It is saved with a checkpoint, and is the same for all ranks and for any number of ranks.
package struct LoaderCursor: Codable, Equatable, Sendable {
  package var epoch: Int
  /// The position in the order of the epoch, not the position of the sequence in the text.
  package var sequence: Int

  package init(epoch: Int = 0, sequence: Int = 0) {
    self.epoch = epoch
    self.sequence = sequence
  }

  enum CodingKeys: String, CodingKey {
    case epoch
    case sequence = "window"
  }
}
