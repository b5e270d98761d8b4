/// One batch of training: `[batch][sequenceLength]` inputs and targets, and where the loader stands behind it.
package struct TokenBatch: Sendable {
  package let inputs: [Int32]
  /// -1 where the place is padding.
  package let targets: [Int32]
  /// What a checkpoint saves once the batch has been learned from.
  package let cursor: LoaderCursor
}
