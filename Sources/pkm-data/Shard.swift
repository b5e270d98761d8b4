import ArgumentParser
import Commands
import Foundation
import Shards
import Support

struct Shard: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shard", abstract: "Shuffle, split and merge datasets.",
    discussion: """
      Documents are put in a random order over all inputs and packed into shards anew. --split moves a share of the \
      documents of the split train to other splits, decided by a hash of the document; other splits of the inputs keep \
      their names.

      EXAMPLE: pkm-data shard encoded/ -o shards/ --split valid=0.01,test=0.01
      """)

  @Argument(help: ArgumentHelp("Dataset directories with one tokenizer.", valueName: "dataset"))
  var inputs: [String]

  @Option(name: .shortAndLong, help: ArgumentHelp("The new dataset directory.", valueName: "directory"))
  var output: String

  @Option(
    help: ArgumentHelp("Shares of train to split off, as in valid=0.01,test=0.01.", valueName: "shares"))
  var split: SplitShares?

  @Option(help: ArgumentHelp("Uncompressed size of a shard.", valueName: "size"))
  var shardSize = ByteSize(argument: "256M")!

  @Flag(help: "Keep the order of the documents.")
  var noShuffle = false

  @Option(help: ArgumentHelp("Memory for shuffling (default: a quarter of RAM).", valueName: "size"))
  var memory: ByteSize?

  @OptionGroup var options: RunOptions

  func validate() throws {
    if inputs.isEmpty { throw ValidationError("Give at least one dataset directory") }
  }

  func run() throws {
    let started = Progress.now()
    let datasets = try inputs.map { try Dataset($0) }
    let progress = Progress("shard", unit: " documents", isQuiet: options.quiet)
    var rewriter = DatasetRewriter()
    rewriter.shares = split?.shares ?? []
    rewriter.isShuffled = !noShuffle
    rewriter.seed = options.seed
    rewriter.shardTokens = max(1, shardSize.bytes / (datasets.first?.index.tokenBytes ?? 2))
    rewriter.memory = memory?.bytes ?? Int(ProcessInfo.processInfo.physicalMemory / 4)
    rewriter.threads = options.threadCount
    rewriter.recipe = recipe(of: datasets)
    rewriter.progress = { progress.update(done: $0, of: $1) }
    let index = try rewriter.write(datasets, to: output)
    progress.finish()

    var summary = Summary()
    let read = datasets.flatMap(\.index.shards)
    summary.add("bytes_in", read.reduce(0) { $0 + $1.bytes })
    summary.add("documents_in", read.reduce(0) { $0 + $1.documents })
    summary.add("documents_out", index.shards.reduce(0) { $0 + $1.documents })
    summary.add("bytes_out", index.shards.reduce(0) { $0 + $1.bytes })
    summary.add("tokens", index.shards.reduce(0) { $0 + $1.tokens })
    summary.add("shards", index.shards.count)
    for (split, totals) in index.splits.sorted(by: { $0.key < $1.key }) {
      summary.add("\(split)_documents", totals.documents)
      summary.add("\(split)_tokens", totals.tokens)
    }
    try options.report(summary, since: started)
  }

  /// What made the inputs, then this command; without paths, which mean nothing elsewhere.
  private func recipe(of inputs: [Dataset]) -> String {
    var line = "shard --seed \(options.seed) --shard-size \(shardSize.bytes)"
    if let split { line += " --split \(split.text)" }
    if noShuffle { line += " --no-shuffle" }
    var lines: [String] = []
    for recipe in inputs.compactMap(\.index.recipe) where !lines.contains(recipe) { lines.append(recipe) }
    return (lines + [line]).joined(separator: "\n")
  }
}

/// `valid=0.01,test=0.01`.
struct SplitShares: ExpressibleByArgument, Sendable {
  let text: String
  let shares: [DatasetRewriter.Share]

  init?(argument: String) {
    text = argument
    var shares: [DatasetRewriter.Share] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = part.split(separator: "=", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard sides.count == 2, DatasetIndex.isValidSplitName(sides[0]), sides[0] != "train",
        let share = Double(sides[1]), share > 0, share < 1, !shares.contains(where: { $0.split == sides[0] })
      else { return nil }
      shares.append(DatasetRewriter.Share(split: sides[0], share: share))
    }
    guard shares.reduce(0, { $0 + $1.share }) < 1 else { return nil }
    self.shares = shares
  }
}
