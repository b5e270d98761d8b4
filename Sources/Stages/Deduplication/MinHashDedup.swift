import Corpus
import Foundation
import Support

/// Removes near-duplicates (Broder, 1997): two passes over the input, signatures and filter, and between them the joining
/// of bands and clusters on disk; or one of these stages.
///
/// Disk: 12 bytes per band and document, 8 per document, and what ``SignatureSet``, ``ClusterStage`` and ``ShingleSets``
/// state; a pipe is spooled.
struct MinHashDedup {
  let options: DedupOptions

  private var minhash: MinHashDedupOptions { options.minhash }
  private var parameters: BandParameters { minhash.hashing.parameters }
  private var memory: Int { options.memory }

  func run() throws -> Summary {
    var summary = Summary()
    switch minhash.stage {
    case nil: try runAllStages(&summary)
    case .signatures:
      let job = try job(workDirectory: outputDirectory, identity: identity)
      summary = try signatures(of: job, in: job.directory.path).manifest.summary
      job.finish()
    case .bands: try joinBands(&summary)
    case .clusters: try findClusters(&summary)
    case .filter:
      let job = try job(workDirectory: nil, identity: "filter")
      defer { job.finish() }
      try filter(job, clusters: minhash.clusters!, counts: &summary)
    }
    return summary
  }

  /// All that the state of a job depends on, but for its input.
  private var identity: String {
    "minhash \(ComparisonKey.version) \(minhash.hashing) \(minhash.verifiesPairs) \(minhash.verifiesPairs ? minhash.threshold : 0)"
  }

  private func job(workDirectory: String?, identity: String) throws -> DeduplicationJob {
    try DeduplicationJob.open(
      options, identity: identity, workDirectory: workDirectory,
      decontamination: try options.decontaminationFilter())
  }

  /// The output of a single stage.
  private var outputDirectory: String { options.output.sink.name! }

  private func runAllStages(_ summary: inout Summary) throws {
    let job = try job(workDirectory: options.workDirectory, identity: identity)
    showCurve()
    let set = try signatures(of: job, in: job.directory.subdirectory("signatures"))
    summary = set.manifest.summary
    let bands = try job.directory.subdirectory("bands")
    let clusters = try job.directory.subdirectory("clusters")
    if !ClusterStage.exists(clusters) {
      if !BandJoin.exists(bands) {
        try step("joining bands")
        try BandJoin([set], hasChains: minhash.verifiesPairs, memory: memory, pool: job.pool).run(
          directory: bands, owner: job.directory.tag)
      }
      var pairs = try CandidatePairs([bands])
      var shingles: ShingleSets?
      if minhash.verifiesPairs {
        let sets = try shingleSets(of: pairs, set, job, path: Path.join(clusters, "shingles"))
        try step("verifying pairs")
        pairs = try sets.verified(
          pairs, threshold: minhash.threshold, directory: clusters, memory: memory, pool: job.pool)
        shingles = sets
      }
      try step("finding clusters")
      try ClusterStage([set], memory: memory, pool: job.pool).run(
        pairs, shingles: shingles, directory: clusters)
    }
    try filter(job, clusters: clusters, counts: &summary)
    summary.add(.bands, parameters.bands)
    summary.add(.rows, parameters.rows)
    // Points of the curve.
    for similarity in [0.5, 0.6, 0.7, 0.8, 0.9] {
      summary[.probability(at: similarity)] = .number(parameters.probability(at: similarity))
    }
    job.finish()
  }

  private func step(_ name: String) throws {
    try Interruption.check()
    if !options.settings.isQuiet { Log.line("dedup: \(name)") }
  }

  /// The bands and what they find.
  private func showCurve() {
    guard !options.settings.isQuiet else { return }
    Log.line(
      """
      dedup: \(parameters.bands) bands of \(parameters.rows) rows, half of the pairs found at similarity \
      \(String(format: "%.3f", parameters.halfPoint))
      \(parameters.curve)
      """)
  }

  private func signatures(of job: DeduplicationJob, in directory: String) throws -> SignatureSet {
    if SignatureSet.exists(directory) { return try SignatureSet(directory) }
    let writer = try SignatureWriter(
      directory: directory, options: minhash.hashing, owner: job.directory.tag, memory: memory / 8 * 5,
      pool: job.pool)
    let hasher = writer.hasher
    let seenFiles = job.seenFiles
    let pass = try job.pass("signatures")
    _ = try pass.run(
      next: {
        while let block = try pass.reader.nextBlock() {
          if try !writer.covers(block) { return block }
        }
        return nil
      },
      work: { block, digest, batch, _ in
        var counts = Summary()
        if batch.source.index < seenFiles {
          counts.add(.documentsSeen, batch.count)
          counts.merge(batch.counts)
          let signatures = try hasher.signatures(of: batch)
          return (signatures, digest, counts)
        }
        counts.add(.bytesIn, block.inputBytes)
        counts.add(.documentsIn, batch.count)
        counts.addText(of: batch)
        counts.merge(batch.counts)
        let signatures = try hasher.signatures(of: batch)
        counts.add(.documentsWithoutWords, signatures.wordless)
        return (signatures, digest, counts)
      },
      consume: { signatures, digest, counts in
        try writer.add(signatures, blockDigest: digest, counts: counts)
      })
    return try writer.finish(listing: job.listing, names: job.names)
  }

  private func shingleSets(
    of pairs: CandidatePairs, _ set: SignatureSet, _ job: DeduplicationJob, path: String
  ) throws
    -> ShingleSets
  {
    let members = try ShingleSets.members(of: pairs, memory: memory / 4, scratch: Path.directory(of: path))
    var starts = [0]
    for count in set.blocks { starts.append(starts.last! + count) }
    let (firstDocuments, shingles) = (starts, minhash.hashing.shingles)
    let writer = try ShingleSets.Writer(path)
    let pass = try job.pass("shingles")
    var (digest, documents) = (UInt64(0), 0)
    _ = try pass.run(
      next: pass.reader.nextBlock,
      work: { block, digest, batch, _ in
        let sets = ShingleSets.sets(
          of: batch, firstDocument: firstDocuments[min(block.number, firstDocuments.count - 1)],
          members: members, options: shingles)
        return (sets, digest, batch.count)
      },
      consume: { sets, blockDigest, count in
        digest = DocumentBlock.chain(digest, blockDigest)
        documents += count
        try writer.append(sets)
      })
    try set.check(digest: digest, documents: documents)
    return try writer.finish()
  }

  private func filter(_ job: DeduplicationJob, clusters: String, counts: inout Summary) throws {
    let removals = try RemovalList(clusters, listing: job.listing, memory: memory / 4)
    var output = try DedupOutput(
      options, of: try job.reader().inputs, names: job.names, decontamination: job.decontamination)
    var (document, digest) = (0, UInt64(0))
    let pass = try job.pass("filter")
    let read = try pass.run(
      isWhole: true, next: pass.reader.nextBlock,
      work: { _, digest, batch, counts in
        (batch, counts.addText(of: batch), digest)
      },
      consume: { batch, words, blockDigest in
        digest = DocumentBlock.chain(digest, blockDigest)
        var removed: [Int] = []
        for index in 0..<batch.count {
          let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
          if batch.isBlank(at: index) {
            try output.removeEmpty(at: location)
          } else if let removal = try removals.removal(of: document + index) {
            try output.remove(
              at: location, duplicateOf: removal.kept, of: removal.names, similarity: removal.similarity)
          } else {
            continue
          }
          removed.append(index)
        }
        document += batch.count
        var batch = batch
        try output.write(&batch, words: words, without: removed)
      }, onMatches: { try output.report($0) })
    try removals.check(digest: digest, documents: document)
    if minhash.stage == nil { output.addClusters(removals.manifest.clusterSizes) }
    // Documents that the decontamination has dropped are not among the signatures.
    if minhash.stage != nil || job.decontamination != nil { counts = read }
    try output.finish(&counts)
  }

  /// Directories of earlier stages.
  private var inputNames: [String] { options.input.sources.map(\.name) }

  private func joinBands(_ summary: inout Summary) throws {
    let directory = outputDirectory
    let sets = try signatureSets(inputNames)
    let share = minhash.share
    let state = try ResumableDirectory(
      directory, identity: "bands \(sets.map(\.manifest.identity)) \(share)\n", isTemporary: false)
    defer { state.finish() }
    if !BandJoin.exists(directory) {
      try BandJoin(
        sets, hasChains: false, memory: memory, pool: WorkerPool(threads: options.settings.threads)
      ).run(
        directory: directory, owner: state.tag, share: share.index, of: share.count)
    }
    summary.add(.documentsIn, sets.reduce(0) { $0 + $1.manifest.documents })
  }

  private func findClusters(_ summary: inout Summary) throws {
    let directory = outputDirectory
    let sets = try signatureSets(inputNames.filter(SignatureSet.exists))
    let bands = inputNames.filter(BandJoin.exists)
    if let other = inputNames.first(where: { !SignatureSet.exists($0) && !BandJoin.exists($0) }) {
      throw Failure(
        .usage, "holds neither signatures nor pairs", file: other, remedy: "Give directories of both")
    }
    let pairs = try CandidatePairs(bands)
    let state = try ResumableDirectory(
      directory, identity: "clusters \(pairs.sets)\n", isTemporary: false)
    defer { state.finish() }
    if !ClusterStage.exists(directory) {
      try ClusterStage(sets, memory: memory, pool: WorkerPool(threads: options.settings.threads)).run(
        pairs, directory: directory)
    }
    let manifest = try ClusterStage.manifest(directory)
    summary.add(.documentsIn, pairs.documentCount)
    summary.add(.duplicatesRemoved, manifest.removed)
  }

  private func signatureSets(_ directories: [String]) throws -> [SignatureSet] {
    guard !directories.isEmpty else { throw Failure(.usage, "give the directories of --stage signatures") }
    return try directories.map { try SignatureSet($0) }
  }
}
