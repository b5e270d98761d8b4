import Foundation
import Shards
import Support

/// How datasets become one dataset.
package struct ShardOptions: Sendable {
  /// What shares of `train` the inputs have in the result.
  package enum Mixture: Sendable {
    /// Everything once.
    case all
    /// A share for each input, and the most tokens of the result.
    case weights([Double], budget: Int?)
    /// How often each input is taken.
    case epochs([Double])
    /// The most tokens of the result.
    case budget(Int)
  }

  /// Directories of datasets.
  package var inputs: [String]
  package var output: String
  package var settings: StageSettings
  /// Shares of `train` that become other splits.
  package var shares: [DatasetRewriter.Share] = []
  package var mixture = Mixture.all
  package var isShuffled = true
  /// Uncompressed bytes of a shard.
  package var shardBytes: Int
  /// nil: as the inputs say.
  package var packing: Packing?
  package var level = DatasetRewriter().level
  package var memory = MemoryLimit.share(given: nil)
  /// The line that the recipe of the result gets after those of the inputs.
  package var recipeLine: String

  package init(
    inputs: [String], output: String, settings: StageSettings, shardBytes: Int, recipeLine: String
  ) {
    (self.inputs, self.output, self.settings) = (inputs, output, settings)
    (self.shardBytes, self.recipeLine) = (shardBytes, recipeLine)
  }
}
