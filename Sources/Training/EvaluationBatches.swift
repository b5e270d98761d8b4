import Model
import Shards
import Support

/// The tokens of a split in their order, in batches for ``Evaluation``.
struct EvaluationBatches {
  /// Inputs and targets, sequence by sequence; valid during a call.
  struct Batch {
    let inputs, targets: UnsafeBufferPointer<Int32>
    /// Of every sequence, in tokens, padding included.
    let length: Int
    /// The tokens of each sequence that are scored; padding follows them.
    let counts: [Int]
  }

  /// The tokens that are scored in all.
  let targetCount: Int
  private let reader: SplitReader
  /// nil for ``Packing/stream``, whose last sequence may be shorter here, where training leaves it out.
  private let plan: SequencePlan?
  private let endOfDocument: Int32
  private let sequences, length: Int
  private var inputs, targets: [Int32]
  /// The next token of a stream, or the next sequence of a plan.
  private var position = 0

  /// - Parameters:
  ///   - sequences: in one batch at most.
  ///   - length: of a sequence at most, in tokens.
  init(_ dataset: Dataset, split: String, packing: Packing, sequences: Int, length: Int) throws {
    reader = try SplitReader(dataset, split: split, cacheBytes: 64 << 20)
    plan =
      packing == .stream
      ? nil : try SequencePlan(packing, of: dataset, split: split, sequenceLength: length)
    targetCount = min(plan?.targetCount ?? .max, max(0, reader.tokenCount - (plan == nil ? 1 : 0)))
    endOfDocument = Int32(dataset.index.endOfDocument)
    (self.sequences, self.length) = (sequences, length)
    inputs = [Int32](repeating: 0, count: sequences * length + 1)
    targets = [Int32](repeating: 0, count: sequences * length)
  }

  /// Calls `body` with the next batch. A stream ends at `limit` scored tokens, a plan with the sequence that reaches it.
  mutating func next<Result>(atMost limit: Int, _ body: (Batch) throws -> Result) throws -> Result {
    if let plan { return try next(of: plan, atMost: limit, body) }
    // Full sequences in one batch, then the rest as one shorter sequence.
    let rows = limit >= length ? min(sequences, limit / length) : 1
    let columns = min(length, limit), count = rows * columns
    try inputs.withUnsafeMutableBufferPointer {
      try reader.read(at: position, into: UnsafeMutableBufferPointer(rebasing: $0[...count]))
    }
    position += count
    return try inputs.withUnsafeBufferPointer {
      try body(
        Batch(
          inputs: UnsafeBufferPointer(rebasing: $0[..<count]),
          targets: UnsafeBufferPointer(rebasing: $0[1...count]), length: columns,
          counts: Array(repeating: columns, count: rows)))
    }
  }

  private mutating func next<Result>(
    of plan: SequencePlan, atMost limit: Int, _ body: (Batch) throws -> Result
  ) throws -> Result {
    var ranges: [Range<Int>] = []
    var count = 0
    while ranges.count < sequences, position < plan.count, count < limit {
      ranges.append(plan[position])
      count += ranges.last!.count
      position += 1
    }
    let columns = ranges.map(\.count).max() ?? 0, size = ranges.count * columns
    for (row, range) in ranges.enumerated() {
      for index in row * columns..<(row + 1) * columns {
        (inputs[index], targets[index]) = (endOfDocument, -1)
      }
      try targets.withUnsafeMutableBufferPointer {
        try reader.read(
          at: range.lowerBound,
          into: UnsafeMutableBufferPointer(rebasing: $0[(row * columns)...][..<(row * columns + range.count)])
        )
      }
      if range.lowerBound > 0 {
        try inputs.withUnsafeMutableBufferPointer {
          try reader.read(
            at: range.lowerBound - 1,
            into: UnsafeMutableBufferPointer(rebasing: $0[row * columns..<row * columns + 1]))
        }
      }
      for index in 1..<max(range.count, 1) {
        inputs[row * columns + index] = targets[row * columns + index - 1]
      }
    }
    return try inputs.withUnsafeBufferPointer { inputs in
      try targets.withUnsafeBufferPointer { targets in
        try body(
          Batch(
            inputs: UnsafeBufferPointer(rebasing: inputs[..<size]),
            targets: UnsafeBufferPointer(rebasing: targets[..<size]), length: columns,
            counts: ranges.map(\.count)))
      }
    }
  }
}
