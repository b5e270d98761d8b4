import ArgumentParser
import Commands
import Corpus
import Foundation
import Support

extension Dedup {
  /// Two passes over the input, signatures and filter, and between them the joining of bands and clusters on disk; or
  /// one of these stages.
  func runMinHash() throws {
    let started = Progress.now()
    var summary = Summary()
    switch minhash.stage {
    case nil: try runAllStages(&summary)
    case .signatures:
      let job = try job(workDirectory: outputDirectory(), settings: settings)
      summary = try signatures(of: job, in: job.directory.path).manifest.summary
      job.finish()
    case .bands: try joinBands(&summary)
    case .clusters: try findClusters(&summary)
    case .filter:
      let job = try job(workDirectory: nil, settings: "filter")
      defer { job.finish() }
      try filter(job, clusters: minhash.clusters!, counts: &summary)
    }
    try options.report(summary, since: started)
  }

  private var bytes: Int { DeduplicationJob.bytes(of: memory) }

  private var signatureOptions: MinHashOptions {
    // Estimates of the similarity are for the report; a single stage does not know whether there will be one.
    let hasSketches = !minhash.verify && (report != nil || minhash.stage != nil)
    return minhash.options(seed: options.seed, hasSketches: hasSketches)
  }

  /// All that the state of a job depends on, but for its input.
  private var settings: String {
    "minhash \(signatureOptions) \(minhash.verify) \(minhash.verify ? minhash.threshold : 0)"
  }

  private func job(workDirectory: String?, settings: String) throws -> DeduplicationJob {
    try DeduplicationJob(
      input: allInput, output: output.output, workDirectory: workDirectory, memory: memory, options: options,
      settings: settings, screen: try screen(), seenFiles: try seenFiles())
  }

  private func outputDirectory() throws -> String {
    guard let directory = output.output, directory != "-" else {
      throw ValidationError("--stage \(minhash.stage!.rawValue) writes a directory: give it as --output")
    }
    return directory
  }

  private func runAllStages(_ summary: inout Summary) throws {
    let job = try job(workDirectory: workDir, settings: settings)
    showCurve()
    let set = try signatures(of: job, in: job.directory.subdirectory("signatures"))
    summary = set.manifest.summary
    let bands = try job.directory.subdirectory("bands")
    let clusters = try job.directory.subdirectory("clusters")
    if !ClusterStage.exists(clusters) {
      if !BandJoin.exists(bands) {
        try step("joining bands")
        try BandJoin([set], hasChains: minhash.verify, memory: bytes, pool: job.pool).run(directory: bands)
      }
      var pairs = try CandidatePairs([bands])
      var shingles: ShingleSets?
      if minhash.verify {
        let sets = try shingleSets(of: pairs, set, job, path: Path.join(clusters, "shingles"))
        try step("verifying pairs")
        pairs = try sets.verified(
          pairs, threshold: minhash.threshold, directory: clusters, memory: bytes, pool: job.pool)
        shingles = sets
      }
      try step("finding clusters")
      try ClusterStage([set], memory: bytes, pool: job.pool).run(
        pairs, shingles: shingles, directory: clusters)
    }
    try filter(job, clusters: clusters, counts: &summary)
    summary.add("bands", minhash.parameters.bands)
    summary.add("rows", minhash.parameters.rows)
    // The curve, for who reads the summary.
    for similarity in [0.5, 0.6, 0.7, 0.8, 0.9] {
      summary["probability_at_\(similarity)"] = .number(minhash.parameters.probability(at: similarity))
    }
    job.finish()
  }

  private func step(_ name: String) throws {
    try Interruption.check()
    if !options.quiet { Log.line("dedup: \(name)") }
  }

  /// The bands and what they find.
  private func showCurve() {
    guard !options.quiet else { return }
    let parameters = minhash.parameters
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
      directory: directory, options: signatureOptions, memory: bytes / 8 * 5, pool: job.pool)
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
          counts.add("documents_seen", batch.count)
          let signatures = try hasher.signatures(of: batch)
          return (signatures, digest, counts)
        }
        counts.add("bytes_in", block.inputBytes)
        counts.add("documents_in", batch.count)
        counts.addText(of: batch)
        counts.merge(batch.counts)
        let signatures = try hasher.signatures(of: batch)
        counts.add("documents_without_words", signatures.wordless)
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
    let members = try ShingleSets.Members(pairs, memory: bytes / 4, scratch: Path.directory(of: path))
    var starts = [0]
    for count in set.blocks { starts.append(starts.last! + count) }
    let (firstDocuments, shingles) = (starts, signatureOptions.shingles)
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
    let removals = try RemovalList(clusters, listing: job.listing, memory: bytes / 4)
    var output = try DedupOutput(self, of: try job.reader().inputs, names: job.names, screen: job.screen)
    var (document, digest) = (0, UInt64(0))
    let pass = try job.pass("filter")
    let read = try pass.run(
      next: pass.reader.nextBlock,
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
      }, found: { try output.report($0) })
    try removals.check(digest: digest, documents: document)
    if minhash.stage == nil { output.addClusters(removals.manifest.clusterSizes) }
    // What the screen has dropped is not among the signatures.
    if minhash.stage != nil || job.screen != nil { counts = read }
    try output.finish(&counts)
  }

  private func joinBands(_ summary: inout Summary) throws {
    let directory = try outputDirectory()
    let sets = try signatureSets(input.inputs)
    let share = minhash.share!
    let state = try ResumableDirectory(
      directory, identity: "bands \(sets.map(\.manifest.identity)) \(share)\n", isTemporary: false)
    defer { state.finish() }
    if !BandJoin.exists(directory) {
      try BandJoin(sets, hasChains: false, memory: bytes, pool: WorkerPool(threads: options.threadCount)).run(
        directory: directory, share: share.index, of: share.count)
    }
    summary.add("documents_in", sets.reduce(0) { $0 + $1.manifest.documents })
  }

  private func findClusters(_ summary: inout Summary) throws {
    let directory = try outputDirectory()
    let sets = try signatureSets(input.inputs.filter(SignatureSet.exists))
    let bands = input.inputs.filter(BandJoin.exists)
    if let other = input.inputs.first(where: { !SignatureSet.exists($0) && !BandJoin.exists($0) }) {
      throw Failure(
        .usage, "holds neither signatures nor pairs", file: other, remedy: "Give directories of both")
    }
    let pairs = try CandidatePairs(bands)
    let state = try ResumableDirectory(
      directory, identity: "clusters \(pairs.sets)\n", isTemporary: false)
    defer { state.finish() }
    if !ClusterStage.exists(directory) {
      try ClusterStage(sets, memory: bytes, pool: WorkerPool(threads: options.threadCount)).run(
        pairs, directory: directory)
    }
    let manifest = try ClusterStage.manifest(directory)
    summary.add("documents_in", pairs.documentCount)
    summary.add("duplicates_removed", manifest.removed)
  }

  private func signatureSets(_ directories: [String]) throws -> [SignatureSet] {
    guard !directories.isEmpty else { throw ValidationError("give the directories of --stage signatures") }
    return try directories.map { try SignatureSet($0) }
  }
}
