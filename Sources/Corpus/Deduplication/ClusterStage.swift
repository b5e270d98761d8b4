import Support

/// The stage `clusters`: finds the connected components of the candidate pairs, keeps one document of each,
/// and lists the others.
///
/// The table of documents is read once, from start to end. The entries of documents in clusters are sorted on
/// disk by cluster, the document to keep first, so nothing is read at random positions, whatever fits in
/// memory.
///
/// Memory: 4 bytes per document. Disk: 24 bytes per member of a cluster, 16 more if the document to keep is
/// not the first one, and half a byte per hash with sketches; 32 bytes per removed document.
package struct ClusterStage {
  private let sets: [SignatureSet]
  private let memory: Int
  private let pool: WorkerPool

  /// The number of the removed document; the number of the document kept instead; its location; the number of
  /// its set, with the similarity of the two documents in millionths in the upper half (all ones if unknown).
  static let removalFormat = RecordFormat(words: 4, kind: "removals")

  /// `sets` are the signatures that the pairs were joined from.
  package init(_ sets: [SignatureSet], memory: Int, pool: WorkerPool) {
    self.sets = sets
    self.memory = memory
    self.pool = pool
  }

  package static func exists(_ directory: String) -> Bool { Path.exists(ClusterManifest.path(directory)) }

  package static func manifest(_ directory: String) throws -> ClusterManifest {
    try ClusterManifest.read(directory)
  }

  /// `shingles` are the shingles of the documents in pairs, if the pairs were verified.
  package func run(_ pairs: CandidatePairs, shingles: ShingleSets? = nil, directory: String) throws {
    let sets = try pairs.sets.map { described -> SignatureSet in
      let found = self.sets.first { set in
        set.manifest.listing == described.listing && set.manifest.digest == described.digest
      }
      if let found {
        guard found.manifest.documents == described.documents, found.manifest.names == described.names else {
          throw Failure(
            .badInput,
            "the pairs were joined from \(described.documents) documents, but it holds \(found.manifest.documents)",
            file: found.directory, remedy: "Join the bands of these signatures again")
        }
        return found
      }
      throw Failure(
        .usage, "the signatures of \(described.names.joined(separator: ", ")) are missing",
        remedy: "Give the directories of all signatures that the pairs were joined from")
    }
    for set in sets where set.manifest.options != sets[0].manifest.options {
      throw Failure(
        .badInput, "was made with options different from those of \(sets[0].directory)", file: set.directory,
        remedy: "Make all signatures with the same options")
    }
    let bytes = pairs.documentCount * 4
    guard bytes <= memory else {
      throw Failure(
        .failed, "clusters of \(pairs.documentCount) documents need \(bytes >> 20) MB",
        remedy: "Give at least that as --memory")
    }
    let clusters = DuplicateClusters(documentCount: pairs.documentCount)
    try pairs.forEach(memory: memory / 8, scratch: directory) { batch in
      for pair in batch { clusters.join(Int(pair >> 32), Int(pair & 0xffff_ffff)) }
    }
    var manifest = ClusterManifest(sets: pairs.sets, removed: 0, clusterSizes: [:])
    let members = try sortMembers(of: clusters, sets, directory: directory, &manifest)
    try list(members, sets, shingles, directory: directory, &manifest)
    try JSONFile.writeSealed(manifest, to: ClusterManifest.path(directory))
  }

  /// The record of a member of a cluster: the number of the cluster; unless the first document is kept, its
  /// inverted weight, so that the greatest weight sorts first; its number and location; its sketch, if there
  /// are sketches.
  private struct MemberFormat {
    let records: RecordFormat
    let row: MinHasher.RowFormat
    /// The index of the word with the document number.
    let number: Int

    init(_ options: MinHashOptions) {
      row = MinHasher.RowFormat(options)
      number = row.weight == nil ? 1 : 3
      records = RecordFormat(words: number + 2 + (row.sketchBytes + 7) / 8, kind: "members")
    }
  }

  private func sorter(_ name: String, _ format: RecordFormat, directory: String) throws -> RecordSorter {
    try RecordSorter(
      directory: directory, name: name, format: format, memory: memory / 4, pool: pool, isNew: true)
  }

  private func sortMembers(
    of clusters: borrowing DuplicateClusters, _ sets: [SignatureSet], directory: String,
    _ manifest: inout ClusterManifest
  ) throws -> RecordMerger {
    let format = MemberFormat(sets.first?.manifest.options ?? MinHashOptions())
    let sorter = try sorter("members", format.records, directory: directory)
    let record = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: format.records.words)
    defer { record.deallocate() }
    record.update(repeating: 0)
    for (set, described) in zip(sets, manifest.sets) {
      try set.forEachRow { index, row in
        let document = described.firstDocument + index
        let root = clusters.root(of: document)
        let size = clusters.size(ofRoot: root)
        if size == 1 { return }
        if root == document { manifest.clusterSizes[size, default: 0] += 1 }
        func word(_ offset: Int) -> UInt64 {
          UInt64(littleEndian: row.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        record[0] = UInt64(root)
        if let weight = format.row.weight { (record[1], record[2]) = (~word(weight), ~word(weight + 8)) }
        record[format.number] = UInt64(document)
        record[format.number + 1] = word(0)
        if let sketch = format.row.sketch {
          UnsafeMutableRawPointer(record.baseAddress! + format.number + 2).copyMemory(
            from: row.baseAddress! + sketch, byteCount: format.row.sketchBytes)
        }
        try sorter.appendEndingRuns(UnsafeBufferPointer(record))
      }
    }
    return try RecordMerger(sorter.finish(memory: memory / 4), memory: memory / 4)
  }

  /// Lists all members of each cluster except the first as removals.
  private func list(
    _ members: RecordMerger, _ sets: [SignatureSet], _ shingles: ShingleSets?, directory: String,
    _ manifest: inout ClusterManifest
  ) throws {
    let options = sets.first?.manifest.options ?? MinHashOptions()
    let format = MemberFormat(options)
    let (words, number) = (format.records.words, format.number)
    let removals = try sorter("removals", Self.removalFormat, directory: directory)
    // The member that is kept. No cluster has the initial number.
    var kept = [UInt64](repeating: .max, count: words)
    func sketch(_ record: UnsafePointer<UInt64>) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(start: record + number + 2, count: format.row.sketchBytes)
    }
    while let batch = try members.next() {
      try Interruption.check()
      var found: [UInt64] = []
      kept.withUnsafeMutableBufferPointer { kept in
        for start in stride(from: 0, to: batch.count, by: words) {
          let record = batch.baseAddress! + start
          if record[0] != kept[0] {
            kept.baseAddress!.update(from: record, count: words)
            continue
          }
          var similarity = UInt64(UInt32.max)
          if let shingles {
            similarity = UInt64(shingles.similarity(Int(record[number]), Int(kept[number])) * 1e6)
          } else if format.row.sketch != nil {
            let estimate = MinHasher.similarity(
              sketch(record), sketch(kept.baseAddress!), hashes: options.hashes)
            similarity = UInt64(estimate * 1e6)
          }
          let set = manifest.sets.lastIndex { $0.firstDocument <= Int(kept[number]) }!
          found += [record[number], kept[number], kept[number + 1], similarity << 32 | UInt64(set)]
        }
      }
      manifest.removed += found.count / Self.removalFormat.words
      try removals.appendEndingRuns(found)
    }
    try removals.endRun()
    manifest.runs = removals.runs.map(RunRecord.init)
  }
}
