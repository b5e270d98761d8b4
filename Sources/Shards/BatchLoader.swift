import Support

/// Where a loader stands: the next window in the order of an epoch.
///
/// Saved with a checkpoint; the same for all ranks.
package struct LoaderCursor: Codable, Equatable, Sendable {
  package var epoch: Int
  /// Position in the epoch's order, not the window's place in the text.
  package var window: Int

  package init(epoch: Int = 0, window: Int = 0) {
    self.epoch = epoch
    self.window = window
  }
}

/// Batches for training: windows of `sequenceLength + 1` tokens, each window once an epoch, in an order that depends on the
/// seed and the epoch alone (``WindowPermutation``), epoch after epoch without end.
///
/// Window `w` holds the tokens from `w × sequenceLength` on, so neighbors share one token and each token but the first is
/// a target once; the last partial window is left out. Of each global batch of `batch × rankCount` windows rank `r` takes
/// the `r`-th run of `batch`, so the same windows are seen in a step whatever the number of ranks.
package struct BatchLoader {
  package let sequenceLength: Int
  /// Windows of one rank in one batch.
  package let batch: Int
  /// Windows of an epoch.
  package let windowCount: Int
  /// Where the next batch begins.
  ///
  /// A loader made with it delivers that batch.
  package private(set) var cursor: LoaderCursor

  private let reader: SplitReader
  private let seed: UInt64
  private let rank: Int
  private let rankCount: Int
  private var order: (epoch: Int, permutation: WindowPermutation)

  /// `cursor` nil begins with the first epoch.
  ///
  /// `cacheBytes` bounds the memory for decompressed tokens.
  package init(
    dataset: Dataset, split: String, sequenceLength: Int, batch: Int, seed: UInt64,
    cursor: LoaderCursor? = nil,
    rank: Int = 0, rankCount: Int = 1, cacheBytes: Int = 256 << 20
  ) throws {
    precondition(sequenceLength >= 1 && batch >= 1 && (0..<rankCount).contains(rank))
    reader = try SplitReader(dataset, split: split, cacheBytes: cacheBytes)
    windowCount = max(0, reader.tokenCount - 1) / sequenceLength
    guard windowCount > 0 else {
      throw Failure(
        .badInput, "split \"\(split)\" has \(reader.tokenCount) tokens, a window needs \(sequenceLength + 1)",
        file: dataset.path, remedy: "Use a shorter context or more text")
    }
    let cursor = cursor ?? LoaderCursor()
    guard cursor.epoch >= 0, (0..<windowCount).contains(cursor.window) else {
      throw Failure(
        .badInput,
        "cannot resume at window \(cursor.window) of epoch \(cursor.epoch): split \"\(split)\" has "
          + "\(windowCount) windows",
        file: dataset.path, remedy: "Resume with the dataset and the context that the run was started with")
    }
    self.cursor = cursor
    self.sequenceLength = sequenceLength
    self.batch = batch
    self.seed = seed
    self.rank = rank
    self.rankCount = rankCount
    order = (cursor.epoch, WindowPermutation(count: windowCount, seed: seed, epoch: cursor.epoch))
  }

  /// Fills `[batch][sequenceLength]` inputs and the targets, which are the inputs one token later.
  package mutating func next(
    into inputs: UnsafeMutableBufferPointer<Int32>, targets: UnsafeMutableBufferPointer<Int32>
  ) throws {
    precondition(inputs.count == batch * sequenceLength && targets.count == inputs.count)
    for row in 0..<batch {
      let place = cursor.window + rank * batch + row
      let window = window(at: place % windowCount, epoch: cursor.epoch + place / windowCount)
      let span = (row * sequenceLength)..<((row + 1) * sequenceLength)
      try reader.read(
        window * sequenceLength, UnsafeMutableBufferPointer(rebasing: inputs[span]),
        UnsafeMutableBufferPointer(rebasing: targets[span]))
    }
    let end = cursor.window + batch * rankCount
    cursor = LoaderCursor(epoch: cursor.epoch + end / windowCount, window: end % windowCount)
  }

  private mutating func window(at position: Int, epoch: Int) -> Int {
    if order.epoch != epoch {
      order = (epoch, WindowPermutation(count: windowCount, seed: seed, epoch: epoch))
    }
    return order.permutation[position]
  }
}

extension SplitReader {
  /// The tokens from `start` on as inputs, the same one later as targets.
  fileprivate func read(
    _ start: Int, _ inputs: UnsafeMutableBufferPointer<Int32>, _ targets: UnsafeMutableBufferPointer<Int32>
  ) throws {
    let count = inputs.count
    try read(at: start, into: inputs)
    for index in 1..<max(count, 1) { targets[index - 1] = inputs[index] }
    try read(at: start + count, into: UnsafeMutableBufferPointer(rebasing: targets[(count - 1)...]))
  }
}
