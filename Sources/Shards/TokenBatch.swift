/// A training batch: `[batch][sequenceLength]` inputs and targets, and the loader's cursor after it.
package struct TokenBatch: Sendable {
  package let inputs: [Int32]
  /// -1 where the position is padding.
  package let targets: [Int32]
  /// The cursor that a checkpoint saves after training on this batch.
  package let cursor: LoaderCursor
}
