import ArgumentParser
import Corpus
import Stages
import Support

/// Options of near-duplicates.
struct MinHashFlags: ParsableArguments {
  enum Unit: String, ExpressibleByArgument, CaseIterable { case word, character }
  enum Keep: String, ExpressibleByArgument, CaseIterable { case first, longest }
  enum Stage: String, ExpressibleByArgument, CaseIterable { case signatures, bands, clusters, filter }

  @Option(help: "minhash: unit of shingles (default: word).")
  var shingle: Unit?

  @Option(
    help: ArgumentHelp(
      "minhash: words or characters per shingle (default: 5 words, 24 characters). --against: words per n-gram (default: 13).",
      valueName: "n"))
  var ngram: Int?

  @Option(
    help: ArgumentHelp(
      "minhash: minimum similarity of near-duplicates, 0 to 1 (default: 0.7).", valueName: "share"))
  var threshold: Double?

  @Option(
    help: ArgumentHelp(
      "minhash: hashes per signature, which is bands times rows (default: 112).", valueName: "n"))
  var hashes: Int?

  @Option(help: ArgumentHelp("minhash: bands per signature (default: derived).", valueName: "n"))
  var bands: Int?

  @Option(help: ArgumentHelp("minhash: rows per band (default: derived).", valueName: "n"))
  var rows: Int?

  @Flag(
    help: "minhash: drop candidate pairs whose exact similarity is below --threshold.")
  var verify = false

  @Option(help: "minhash: document of a cluster that is kept (default: first).")
  var keep: Keep?

  @Option(
    help: ArgumentHelp(
      "minhash: keep the document with the greatest value of this JSON field, or the least with NAME:min.",
      valueName: "name"))
  var keepBy: String?

  @Option(help: "minhash: run one stage only, to share the work among machines.")
  var stage: Stage?

  @Option(help: ArgumentHelp("--stage filter: output of --stage clusters.", valueName: "directory"))
  var clusters: String?

  @Option(help: ArgumentHelp("--stage bands: share of the work, such as 2/8.", valueName: "i/n"))
  var part: String?

  func validate() throws {
    if let threshold, !(0.01...1).contains(threshold) {
      throw ValidationError("--threshold must be between 0.01 and 1")
    }
    if let ngram, !(1...1000).contains(ngram) { throw ValidationError("--ngram must be between 1 and 1000") }
    for (name, value) in [("--hashes", hashes), ("--bands", bands), ("--rows", rows)] {
      if let value, !(1...4096).contains(value) {
        throw ValidationError("\(name) must be between 1 and 4096")
      }
    }
    if bands != nil && rows != nil && hashes != nil {
      throw ValidationError("--hashes would change nothing: it is --bands times --rows")
    }
    if (bands != nil || rows != nil) && threshold != nil && !verify {
      throw ValidationError(
        "--threshold would change nothing: --bands and --rows decide, unless --verify compares the texts")
    }
    if keep != nil && keepBy != nil { throw ValidationError("Give --keep or --keep-by, not both") }
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

  /// The options of this method, to be refused without it.
  var given: KeyValuePairs<String, Any?> {
    [
      "--shingle": shingle, "--threshold": threshold, "--hashes": hashes, "--bands": bands, "--rows": rows,
      "--verify": verify, "--keep": keep, "--keep-by": keepBy, "--stage": stage, "--clusters": clusters,
      "--part": part,
    ]
  }

  /// The options that decide the signatures, to be refused for the stages that read signatures.
  var givenForSignatures: KeyValuePairs<String, Any?> {
    [
      "--shingle": shingle, "--ngram": ngram, "--threshold": threshold, "--hashes": hashes, "--bands": bands,
      "--rows": rows, "--keep": keep, "--keep-by": keepBy,
    ]
  }

  private var parameters: BandParameters {
    let hashes = hashes ?? 112
    return switch (bands, rows) {
    case (let bands?, let rows?): BandParameters(bands: bands, rows: rows)
    case (let bands?, nil): BandParameters(bands: bands, rows: max(1, hashes / bands))
    case (nil, let rows?): BandParameters(bands: max(1, hashes / rows), rows: rows)
    case (nil, nil): .optimal(threshold: threshold ?? 0.7, hashes: hashes)
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

  func dedupOptions(seed: UInt64, keep: KeptDetails, hasSketches: Bool) -> MinHashDedupOptions {
    var options = MinHashDedupOptions(hashing: hashing(seed: seed, details: keep, hasSketches: hasSketches))
    if let threshold { options.threshold = threshold }
    options.verifiesPairs = verify
    options.stage = stage.flatMap { MinHashDedupOptions.Stage(rawValue: $0.rawValue) }
    options.clusters = clusters
    if let share { options.share = share }
    return options
  }

  private func hashing(seed: UInt64, details: KeptDetails, hasSketches: Bool) -> MinHashOptions {
    var rule = keep == .longest ? KeepRule.longest : .first
    if let keepBy {
      let isLeast = keepBy.hasSuffix(":min")
      rule = .field(isLeast ? String(keepBy.dropLast(4)) : keepBy, least: isLeast)
    }
    let isWord = shingle != .character
    return MinHashOptions(
      shingles: ShingleOptions(
        unit: isWord ? .word : .character, length: ngram ?? (isWord ? 5 : 24), seed: seed, keep: details),
      parameters: parameters, keep: rule, hasSketches: hasSketches)
  }
}
