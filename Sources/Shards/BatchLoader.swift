import Support

/// Makes training batches from the sequences of a split, each once per epoch, epoch after epoch without end.
/// The order depends only on the seed and the epoch (``SequencePermutation``).
///
/// ``Packing`` defines the sequences. With `stream`, sequence `w` holds the tokens from `w × sequenceLength`
/// on, so neighboring sequences share one token, and every token except the first is a target once. Of each
/// global batch of `batch × rankCount` sequences, rank `r` takes the `r`-th group of `batch`. So a step sees
/// the same sequences for any number of ranks, and a run that resumes with a different number neither repeats
/// nor skips one.
package struct BatchLoader {
  package let sequenceLength: Int
  /// The number of sequences per rank and batch.
  package let batch: Int
  /// The number of sequences per epoch.
  package var sequenceCount: Int { plan.count }
  /// The share of positions in an epoch that are padding.
  package var paddingShare: Double { 1 - Double(plan.targetCount) / Double(plan.count * sequenceLength) }
  /// The start of the next batch. A loader created with this cursor begins with that batch.
  package private(set) var cursor: LoaderCursor

  private let reader: SplitReader
  private let plan: SequencePlan
  private let endOfDocument: Int32
  private let seed: UInt64
  private let rank: Int
  private let rankCount: Int
  private var order: (epoch: Int, permutation: SequencePermutation)

  /// A nil `cursor` starts with the first epoch. `cacheBytes` limits the memory for decompressed tokens.
  package init(
    dataset: Dataset, split: String, packing: Packing = .stream, sequenceLength: Int, batch: Int,
    seed: UInt64, cursor: LoaderCursor? = nil, rank: Int = 0, rankCount: Int = 1, cacheBytes: Int = 256 << 20
  ) throws {
    precondition(sequenceLength >= 1 && batch >= 1 && (0..<rankCount).contains(rank))
    reader = try SplitReader(dataset, split: split, cacheBytes: cacheBytes)
    plan = try SequencePlan(packing, of: dataset, split: split, sequenceLength: sequenceLength)
    guard plan.count > 0 else {
      throw Failure(
        .badInput,
        "split \"\(split)\" has \(reader.tokenCount) tokens, a sequence needs \(sequenceLength + 1)",
        file: dataset.path, remedy: "Use a shorter context or more text")
    }
    guard plan.targetCount <= reader.tokenCount else {
      throw Failure(
        .badInput, "the documents of split \"\(split)\" have more tokens than its shards", file: dataset.path,
        remedy: "Run `pkm-data verify`, then copy the dataset again or recreate it")
    }
    let cursor = cursor ?? LoaderCursor()
    guard cursor.epoch >= 0, (0..<plan.count).contains(cursor.sequence) else {
      throw Failure(
        .badInput,
        "cannot resume at sequence \(cursor.sequence) of epoch \(cursor.epoch): split \"\(split)\" has "
          + "\(plan.count) sequences",
        file: dataset.path, remedy: "Resume with the dataset and the context that the run was started with")
    }
    self.cursor = cursor
    self.sequenceLength = sequenceLength
    self.batch = batch
    self.seed = seed
    self.rank = rank
    self.rankCount = rankCount
    endOfDocument = Int32(dataset.index.endOfDocument)
    order = (cursor.epoch, SequencePermutation(count: plan.count, seed: seed, epoch: cursor.epoch))
  }

  /// Fills `[batch][sequenceLength]` inputs and targets. Targets are the inputs shifted by one token; the
  /// target of a padding position is -1, which the loss ignores.
  package mutating func next(
    into inputs: UnsafeMutableBufferPointer<Int32>, targets: UnsafeMutableBufferPointer<Int32>
  ) throws {
    precondition(inputs.count == batch * sequenceLength && targets.count == inputs.count)
    for row in 0..<batch {
      let position = cursor.sequence + rank * batch + row
      let sequence = sequence(at: position % plan.count, epoch: cursor.epoch + position / plan.count)
      let span = (row * sequenceLength)..<((row + 1) * sequenceLength)
      try read(
        plan[sequence], UnsafeMutableBufferPointer(rebasing: inputs[span]),
        UnsafeMutableBufferPointer(rebasing: targets[span]))
    }
    let end = cursor.sequence + batch * rankCount
    cursor = LoaderCursor(epoch: cursor.epoch + end / plan.count, sequence: end % plan.count)
  }

  private mutating func sequence(at position: Int, epoch: Int) -> Int {
    if order.epoch != epoch {
      order = (epoch, SequencePermutation(count: plan.count, seed: seed, epoch: epoch))
    }
    return order.permutation[position]
  }

  private func read(
    _ range: Range<Int>, _ inputs: UnsafeMutableBufferPointer<Int32>,
    _ targets: UnsafeMutableBufferPointer<Int32>
  ) throws {
    let count = range.count
    try reader.read(at: range.lowerBound, into: UnsafeMutableBufferPointer(rebasing: targets[..<count]))
    inputs[0] = endOfDocument
    if range.lowerBound > 0 {
      try reader.read(at: range.lowerBound - 1, into: UnsafeMutableBufferPointer(rebasing: inputs[..<1]))
    }
    for index in 1..<max(count, 1) { inputs[index] = targets[index - 1] }
    for index in count..<sequenceLength { (inputs[index], targets[index]) = (endOfDocument, -1) }
  }
}
