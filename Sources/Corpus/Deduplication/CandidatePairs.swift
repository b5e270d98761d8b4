import Support

/// The candidate pairs of all shares of the key range.
package struct CandidatePairs: Sendable {
  package let sets: [DocumentSet]
  package let hasChains: Bool
  let runs: [SortedRun]
  /// Where the pairs came from, for messages.
  private let directory: String

  /// Opens the directories of the stage `bands`, all shares of one job in any order.
  package init(_ directories: [String]) throws {
    let manifests = try directories.map { try BandManifest.read($0) }
    guard let first = manifests.first else {
      throw Failure(.usage, "no directory of candidate pairs was given")
    }
    for (manifest, directory) in zip(manifests, directories)
    where manifest.sets != first.sets || manifest.shares != first.shares
      || manifest.hasChains != first.hasChains
    {
      throw Failure(
        .badInput, "belongs to other signatures, or another division, than \(directories[0])",
        file: directory,
        remedy: "Join the bands of the same signatures")
    }
    guard manifests.map(\.share).sorted() == Array(0..<first.shares) else {
      throw Failure(
        .usage,
        "the pairs of \(first.shares) shares are needed, each once, but shares \(manifests.map { $0.share + 1 }) were given"
      )
    }
    sets = first.sets
    hasChains = first.hasChains
    directory = directories[0]
    runs = try zip(manifests, directories).flatMap { manifest, directory in
      try RecordSorter.runs(manifest.runs, name: "pairs", in: directory, format: BandJoin.pairFormat)
    }
  }

  package init(sets: [DocumentSet], runs: [SortedRun], directory: String) {
    (self.sets, self.directory) = (sets, directory)
    hasChains = false
    self.runs = runs
  }

  package var documentCount: Int { sets.reduce(0) { $0 + $1.documents } }

  /// Calls `body` with batches of pairs in ascending order, each pair once: the smaller number in the upper
  /// half. Throws if a pair names a document that there is not.
  func forEach(memory: Int, scratch: String, _ body: (UnsafeBufferPointer<UInt64>) throws -> Void) throws {
    let merger = try RecordMerger(
      RecordSorter.compacted(runs, directory: scratch, name: "pairs-merged", most: 400, memory: memory),
      memory: memory)
    let documents = UInt64(documentCount)
    var last: UInt64?
    var distinct: [UInt64] = []
    while let batch = try merger.next() {
      try Interruption.check()
      distinct.removeAll(keepingCapacity: true)
      for pair in batch where pair != last {
        let (first, second) = (pair >> 32, pair & 0xffff_ffff)
        guard first < second && second < documents else {
          throw Failure(
            .badInput, "a pair names the documents \(first) and \(second), but there are \(documents)",
            file: directory, remedy: "Remove the directory and join the bands again")
        }
        distinct.append(pair)
        last = pair
      }
      try distinct.withUnsafeBufferPointer(body)
    }
  }
}
