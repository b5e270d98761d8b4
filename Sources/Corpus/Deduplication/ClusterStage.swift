import Support

/// The stage `clusters`: components of the candidate pairs, one document of each kept, and the list of the others.
///
/// The table of documents is read once, from the first to the last: what it says of the members of clusters is sorted by
/// cluster, on disk, the one to keep first. So nothing is looked up at random places, whatever fits in memory.
///
/// Memory: 4 bytes a document. Disk: 24 bytes for each member of a cluster, 16 more where another than the first may stay,
/// and half a byte a hash with sketches; 32 bytes for each that is removed.
package struct ClusterStage {
  private let sets: [SignatureSet]
  private let memory: Int
  private let pool: WorkerPool

  /// The number of the document and that of the one kept; the location of the latter; the number of its set, and above it
  /// the similarity of the two in millionths (all ones where it is not known).
  static let removalFormat = RecordFormat(words: 4)

  /// The sets of signatures that the pairs were joined from.
  package init(_ sets: [SignatureSet], memory: Int, pool: WorkerPool) {
    self.sets = sets
    self.memory = memory
    self.pool = pool
  }

  static func manifestPath(_ directory: String) -> String { Path.join(directory, "clusters.json") }

  package static func exists(_ directory: String) -> Bool { Path.exists(manifestPath(directory)) }

  package static func manifest(_ directory: String) throws -> ClusterManifest {
    try ManifestFile.read(ClusterManifest.self, from: manifestPath(directory))
  }

  /// `shingles` are those of the documents in pairs, where they were verified.
  package func run(_ pairs: CandidatePairs, shingles: ShingleSets? = nil, directory: String) throws {
    let sets = try pairs.sets.map { described -> SignatureSet in
      let found = self.sets.first { set in
        set.manifest.listing == described.listing && set.manifest.digest == described.digest
      }
      if let found { return found }
      throw Failure(
        .usage, "the signatures of \(described.names.joined(separator: ", ")) are missing",
        remedy: "Give the directories of all signatures that the pairs were joined from")
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
    try ManifestFile.write(manifest, to: Self.manifestPath(directory))
  }

  /// What is noted down of a member of a cluster: the cluster's number; its weight turned around, so that the greatest
  /// comes first, unless the first document stays; its number and location; its sketch, if it has one.
  private struct MemberFormat {
    let records: RecordFormat
    let row: MinHasher.RowFormat
    /// Where the number stands.
    let number: Int

    init(_ options: MinHashOptions) {
      row = MinHasher.RowFormat(options)
      number = row.weight == nil ? 1 : 3
      records = RecordFormat(words: number + 2 + (row.sketchBytes + 7) / 8)
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

  /// Of each cluster all but the first member are removed.
  private func list(
    _ members: RecordMerger, _ sets: [SignatureSet], _ shingles: ShingleSets?, directory: String,
    _ manifest: inout ClusterManifest
  ) throws {
    let options = sets.first?.manifest.options ?? MinHashOptions()
    let format = MemberFormat(options)
    let (words, number) = (format.records.words, format.number)
    let removals = try sorter("removals", Self.removalFormat, directory: directory)
    // The member that stays; no cluster has the number that it has at first.
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
    _ = try removals.finish(memory: memory / 4)
  }
}
