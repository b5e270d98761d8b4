import ArgumentParser
import Corpus
import Stages

/// Options of near-duplicates.
struct MinHashFlags: ParsableArguments {
  enum Unit: String, ExpressibleByArgument, CaseIterable { case word, character }
  enum Keep: String, ExpressibleByArgument, CaseIterable { case first, longest }
  enum Stage: String, ExpressibleByArgument, CaseIterable { case signatures, bands, clusters, filter }

  @Option(help: "minhash: what shingles are made of: \(Unit.list).")
  var shingle = Unit.word

  @Option(
    help: ArgumentHelp(
      "Words or characters to a shingle (minhash: 5 words or 24 characters).", valueName: "n"))
  var ngram: Int?

  @Option(
    help: ArgumentHelp(
      "minhash: the similarity from which documents are near-duplicates.", valueName: "share"))
  var threshold = 0.7

  @Option(
    help: ArgumentHelp("minhash: hashes to a signature, of which bands and rows are made.", valueName: "n"))
  var hashes = 112

  @Option(help: ArgumentHelp("minhash: bands (default: derived from threshold and hashes).", valueName: "n"))
  var bands: Int?

  @Option(help: ArgumentHelp("minhash: rows to a band (default: derived).", valueName: "n"))
  var rows: Int?

  @Flag(
    help: "minhash: check candidate pairs: the Jaccard index of their shingles has to reach the threshold.")
  var verify = false

  @Option(help: "minhash: which document of a cluster stays: \(Keep.list).")
  var keep = Keep.first

  @Option(
    help: ArgumentHelp(
      "minhash: the document with the greatest value of this JSON field stays; with the least after name:min.",
      valueName: "name"))
  var keepBy: String?

  @Option(help: "minhash: do one stage only, for work that is shared by machines: \(Stage.list).")
  var stage: Stage?

  @Option(help: ArgumentHelp("--stage filter: what --stage clusters has made.", valueName: "directory"))
  var clusters: String?

  @Option(help: ArgumentHelp("--stage bands: a share of the work, such as 2/8.", valueName: "i/n"))
  var part: String?

  func validate() throws {
    if !(0.01...1).contains(threshold) { throw ValidationError("--threshold must be between 0.01 and 1") }
    if let ngram, !(1...1000).contains(ngram) { throw ValidationError("--ngram must be between 1 and 1000") }
    for (name, value) in [("--hashes", hashes), ("--bands", bands), ("--rows", rows)] {
      if let value, !(1...4096).contains(value) {
        throw ValidationError("\(name) must be between 1 and 4096")
      }
    }
    let parameters = parameters
    if parameters.bands * parameters.rows > 4096 {
      throw ValidationError("--bands times --rows must be at most 4096")
    }
    if (stage == .filter) != (clusters != nil) {
      throw ValidationError("--stage filter and --clusters go together")
    }
    if verify && stage != nil {
      throw ValidationError("--verify reads the texts again and works without --stage only")
    }
    if part != nil && (stage != .bands || share == nil) {
      throw ValidationError("--part is the share of --stage bands, as 1/8 to 8/8")
    }
  }

  private var parameters: BandParameters {
    switch (bands, rows) {
    case (let bands?, let rows?): BandParameters(bands: bands, rows: rows)
    case (let bands?, nil): BandParameters(bands: bands, rows: max(1, hashes / bands))
    case (nil, let rows?): BandParameters(bands: max(1, hashes / rows), rows: rows)
    case (nil, nil): .optimal(threshold: threshold, hashes: hashes)
    }
  }

  /// The share from 0, and how many there are.
  private var share: (index: Int, count: Int)? {
    guard let part else { return (0, 1) }
    let numbers = part.split(separator: "/", omittingEmptySubsequences: false).compactMap { Int($0) }
    guard numbers.count == 2, (1...64).contains(numbers[1]), (1...numbers[1]).contains(numbers[0]) else {
      return nil
    }
    return (numbers[0] - 1, numbers[1])
  }

  static let recipeOptions: [RecipeOption] = [
    .text("shingle"), .text("ngram"), .text("threshold"), .text("hashes"), .text("bands"), .text("rows"),
    .flag("verify"), .text("keep"), .text("keep-by"),
  ]
  static let optionsSetByRun: [String] = ["stage", "clusters", "part"]

  func dedupOptions(seed: UInt64, hasSketches: Bool) -> MinHashDedupOptions {
    var options = MinHashDedupOptions(hashing: hashing(seed: seed, hasSketches: hasSketches))
    options.threshold = threshold
    options.verifiesPairs = verify
    options.stage = stage.flatMap { MinHashDedupOptions.Stage(rawValue: $0.rawValue) }
    options.clusters = clusters
    if let share { options.share = share }
    return options
  }

  private func hashing(seed: UInt64, hasSketches: Bool) -> MinHashOptions {
    var rule = keep == .longest ? KeepRule.longest : .first
    if let keepBy {
      let isLeast = keepBy.hasSuffix(":min")
      rule = .field(isLeast ? String(keepBy.dropLast(4)) : keepBy, least: isLeast)
    }
    return MinHashOptions(
      shingles: ShingleOptions(
        unit: ShingleOptions.Unit(rawValue: shingle.rawValue)!, length: ngram ?? (shingle == .word ? 5 : 24),
        seed: seed),
      parameters: parameters, keep: rule, hasSketches: hasSketches)
  }
}
