import Shards
import Support

/// Shuffles, splits, mixes and merges datasets.
package struct ShardStage {
  private let options: ShardOptions

  package init(_ options: ShardOptions) { self.options = options }

  package func run() throws -> Summary {
    let datasets = try options.inputs.map { try Dataset($0) }
    let progress = Progress("shard", unit: " documents", isQuiet: options.settings.isQuiet)
    var rewriter = DatasetRewriter()
    rewriter.shares = options.shares
    rewriter.mixture = mixture
    rewriter.isShuffled = options.isShuffled
    rewriter.seed = options.settings.seed
    rewriter.shardTokens = max(1, options.shardBytes / (datasets.first?.index.tokenBytes ?? 2))
    rewriter.packing = options.packing
    rewriter.level = options.level
    rewriter.memory = options.memory
    rewriter.threads = options.settings.threads
    rewriter.recipe = recipe(of: datasets)
    rewriter.progress = { progress.update(done: $0, of: $1) }
    let index = try rewriter.write(datasets, to: options.output)
    progress.finish()

    var summary = Summary()
    let read = datasets.flatMap(\.index.shards)
    summary.add(.bytesIn, read.reduce(0) { $0 + $1.bytes })
    summary.add(.documentsIn, read.reduce(0) { $0 + $1.documents })
    summary.add(.documentsOut, index.shards.reduce(0) { $0 + $1.documents })
    summary.add(.bytesOut, index.shards.reduce(0) { $0 + $1.bytes })
    summary.add(.tokens, index.shards.reduce(0) { $0 + $1.tokens })
    summary.add(.shards, index.shards.count)
    for (split, totals) in index.splits.sorted(by: { $0.key < $1.key }) {
      summary.add(.documents(ofSplit: split), totals.documents)
      summary.add(.tokens(ofSplit: split), totals.tokens)
    }
    return summary
  }

  /// What the rewriter asks with the tokens of `train` that each input has; nil takes everything once.
  private var mixture: (@Sendable ([Int]) throws -> DatasetMixture)? {
    let paths = options.inputs
    /// An input without tokens can only have the number 0.
    @Sendable func check(_ numbers: [Double], _ available: [Int]) throws {
      for (path, (tokens, number)) in zip(paths, zip(available, numbers)) where tokens == 0 && number > 0 {
        throw Failure(
          .usage, "there are no tokens of train to take", file: path, remedy: "Give it the number 0")
      }
    }
    switch options.mixture {
    case .all: return nil
    case .budget(let budget): return { DatasetMixture(budget: budget, tokens: $0) }
    case .epochs(let epochs):
      return { available in
        try check(epochs, available)
        return DatasetMixture(epochs: epochs, tokens: available)
      }
    case .weights(let weights, let budget):
      return { available in
        try check(weights, available)
        let mixture = DatasetMixture(weights: weights, tokens: available, budget: budget)
        for (path, (quota, tokens)) in zip(paths, zip(mixture.quotas, available)) where quota > 10 * tokens {
          Log.warn("\(path): its \(tokens) tokens are taken \(quota / tokens) times to make \(quota)")
        }
        return mixture
      }
    }
  }

  /// The recipes of the inputs, then the line of this stage.
  private func recipe(of inputs: [Dataset]) -> String {
    var lines: [String] = []
    for recipe in inputs.compactMap(\.index.recipe) where !lines.contains(recipe) { lines.append(recipe) }
    return (lines + [options.recipeLine]).joined(separator: "\n")
  }
}
