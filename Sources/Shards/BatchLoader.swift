import Support

/// Batches for training: sequences of a split, each once an epoch, in an order that depends on the seed and the epoch alone
/// (``WindowPermutation``), epoch after epoch without end.
///
/// What a sequence is, ``Packing`` says; with `stream` sequence `w` holds the tokens from `w × sequenceLength` on, so
/// neighbors share one token and each token but the first is a target once. Of each global batch of `batch × rankCount`
/// sequences rank `r` takes the `r`-th run of `batch`, so the same sequences are seen in a step whatever the number of
/// ranks, and a run that goes on with another number of them neither repeats nor misses one.
package struct BatchLoader {
  package let sequenceLength: Int
  /// Sequences of one rank in one batch.
  package let batch: Int
  /// Sequences of an epoch.
  package var windowCount: Int { plan.count }
  /// Share of the positions of an epoch that are padding.
  package var paddingShare: Double { 1 - Double(plan.targetCount) / Double(plan.count * sequenceLength) }
  /// Where the next batch begins.
  ///
  /// A loader made with it delivers that batch.
  package private(set) var cursor: LoaderCursor

  private let reader: SplitReader
  private let plan: SequencePlan
  private let endOfDocument: Int32
  private let seed: UInt64
  private let rank: Int
  private let rankCount: Int
  private var order: (epoch: Int, permutation: WindowPermutation)

  /// `cursor` nil begins with the first epoch.
  ///
  /// `cacheBytes` bounds the memory for decompressed tokens.
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
        "split \"\(split)\" has \(reader.tokenCount) tokens, a window needs \(sequenceLength + 1)",
        file: dataset.path, remedy: "Use a shorter context or more text")
    }
    guard plan.targetCount <= reader.tokenCount else {
      throw Failure(
        .badInput, "the documents of split \"\(split)\" have more tokens than its shards", file: dataset.path,
        remedy: "Run `pkm-data verify`, then copy the dataset again or make it again")
    }
    let cursor = cursor ?? LoaderCursor()
    guard cursor.epoch >= 0, (0..<plan.count).contains(cursor.window) else {
      throw Failure(
        .badInput,
        "cannot resume at window \(cursor.window) of epoch \(cursor.epoch): split \"\(split)\" has "
          + "\(plan.count) windows",
        file: dataset.path, remedy: "Resume with the dataset and the context that the run was started with")
    }
    self.cursor = cursor
    self.sequenceLength = sequenceLength
    self.batch = batch
    self.seed = seed
    self.rank = rank
    self.rankCount = rankCount
    endOfDocument = Int32(dataset.index.endOfDocument)
    order = (cursor.epoch, WindowPermutation(count: plan.count, seed: seed, epoch: cursor.epoch))
  }

  /// Fills `[batch][sequenceLength]` inputs and the targets, which are the inputs one token later; the target of a padded
  /// place is -1, which the loss leaves out.
  package mutating func next(
    into inputs: UnsafeMutableBufferPointer<Int32>, targets: UnsafeMutableBufferPointer<Int32>
  ) throws {
    precondition(inputs.count == batch * sequenceLength && targets.count == inputs.count)
    for row in 0..<batch {
      let place = cursor.window + rank * batch + row
      let window = window(at: place % plan.count, epoch: cursor.epoch + place / plan.count)
      let span = (row * sequenceLength)..<((row + 1) * sequenceLength)
      try read(
        plan[window], UnsafeMutableBufferPointer(rebasing: inputs[span]),
        UnsafeMutableBufferPointer(rebasing: targets[span]))
    }
    let end = cursor.window + batch * rankCount
    cursor = LoaderCursor(epoch: cursor.epoch + end / plan.count, window: end % plan.count)
  }

  private mutating func window(at position: Int, epoch: Int) -> Int {
    if order.epoch != epoch {
      order = (epoch, WindowPermutation(count: plan.count, seed: seed, epoch: epoch))
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
