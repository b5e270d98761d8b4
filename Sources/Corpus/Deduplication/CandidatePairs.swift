import Foundation
import Support
import Synchronization

/// What the stage `bands` says about its pairs, in the file `bands.json` of its directory, which it writes last.
package struct BandManifest: Codable, Sendable {
  var version = 1
  /// The sets of signatures in their order, and the number of each one's first document.
  package var sets: [SetOfDocuments]
  /// Which share of the key range this is, from 0, of how many.
  package var share: Int
  package var shares: Int
  var hasChains: Bool

  package struct SetOfDocuments: Codable, Sendable, Equatable {
    package var listing: String
    package var digest: String
    package var names: [String]
    package var firstDocument: Int
    package var documents: Int
  }
}

/// The stage `bands`: joins equal band keys of one or more sets of documents, whose documents are numbered on, set after
/// set, and gives the candidate pairs.
///
/// Of n documents with a key in common, each but the first makes one pair, with the first (a star): pairs are never more
/// than keys. For verification each makes another, with the one before it (a chain), so that a first one that is unlike
/// the others does not part them.
package struct BandJoin {
  private let sets: [SignatureSet]
  private let hasChains: Bool
  private let memory: Int
  private let pool: WorkerPool

  /// The key range is joined in this many units, the steps of work that is resumed.
  private static let units = 64
  /// A pair: the smaller document number above the larger one.
  static let pairFormat = RecordFormat(words: 1)

  package init(_ sets: [SignatureSet], hasChains: Bool, memory: Int, pool: WorkerPool) throws {
    self.sets = sets
    self.hasChains = hasChains
    self.memory = memory
    self.pool = pool
    for set in sets where set.manifest.options != sets[0].manifest.options {
      throw Failure(
        .badInput, "was made with other options than \(sets[0].directory)", file: set.directory,
        remedy: "Make all signatures with the same options")
    }
    for (index, set) in sets.enumerated()
    where sets[..<index].contains(where: { $0.manifest.identity == set.manifest.identity }) {
      throw Failure(
        .badInput, "are the same documents as those of another set", file: set.directory,
        remedy: "Give each set once")
    }
    guard sets.reduce(0, { $0 + $1.manifest.documents }) <= SignatureWriter.mostDocuments else {
      throw Failure(.failed, "more than 2³¹ documents", remedy: "Deduplicate a part of them at a time")
    }
  }

  static func manifestPath(_ directory: String) -> String { Path.join(directory, "bands.json") }

  package static func exists(_ directory: String) -> Bool { Path.exists(manifestPath(directory)) }

  /// Joins the keys of one share of the range, which another machine may do for the others.
  package func run(directory: String, share: Int = 0, of shares: Int = 1) throws {
    let sorter = try RecordSorter(
      directory: directory, name: "pairs", format: Self.pairFormat, memory: memory / 2, pool: pool,
      dropsRepeats: true)
    // The runs of each set on their own: a merged run has one offset for all its documents.
    var runs: [SortedRun] = []
    var offsets: [UInt64] = []
    var firstDocument = 0
    var described: [BandManifest.SetOfDocuments] = []
    for (index, set) in sets.enumerated() {
      let compact = try RecordSorter.compacted(
        set.runs, directory: directory, name: "keys-\(index)", most: max(4, 400 / sets.count),
        memory: memory / 2)
      runs += compact
      offsets += compact.map { _ in UInt64(firstDocument) }
      described.append(
        BandManifest.SetOfDocuments(
          listing: set.manifest.listing, digest: set.manifest.digest, names: set.manifest.names,
          firstDocument: firstDocument, documents: set.manifest.documents))
      firstDocument += set.manifest.documents
    }

    // Pairs are a set: those of a unit that was not finished are simply found again.
    var finished: [Int] = []
    for run in sorter.runs { finished += try JSONDecoder().decode([Int].self, from: Data(run.note)) }
    let units = (0..<Self.units).filter { $0 % shares == share && !finished.contains($0) }
    let state = Mutex((finished: [Int](), sorter: SendableSorter(sorter)))
    try pool.forEachThrowing(units.count) { index, _ in
      let unit = units[index]
      let size = RecordMerger.parts / Self.units
      let merger = try RecordMerger(
        runs, parts: (unit * size)..<((unit + 1) * size), offsets: offsets, memory: memory / 4 / pool.threads)
      try join(merger) { pairs in
        try state.withLock { state in
          var rest = pairs[...]
          while !rest.isEmpty {
            let piece = rest.prefix(state.sorter.value.room)
            state.sorter.value.append(Array(piece))
            rest = rest.dropFirst(piece.count)
            if state.sorter.value.room == 0 {
              try state.sorter.value.endRun(note: Array(JSONEncoder().encode(state.finished)))
              state.finished = []
            }
          }
        }
      }
      state.withLock { $0.finished.append(unit) }
    }
    try state.withLock { try $0.sorter.value.endRun(note: Array(JSONEncoder().encode($0.finished))) }
    let manifest = BandManifest(sets: described, share: share, shares: shares, hasChains: hasChains)
    try SignatureSet.write(manifest, to: Self.manifestPath(directory))
  }

  /// A sorter that is only used under the lock that holds it.
  private struct SendableSorter: @unchecked Sendable {
    let value: RecordSorter
    init(_ value: RecordSorter) { self.value = value }
  }

  private func join(_ merger: RecordMerger, _ body: ([UInt64]) throws -> Void) throws {
    var (key, first, previous): (UInt64, UInt64, UInt64) = (0, 0, 0)
    var isAtStart = true
    var pairs: [UInt64] = []
    while let batch = try merger.next() {
      try Interruption.check()
      for index in stride(from: 0, to: batch.count, by: 2) {
        let document = batch[index + 1]
        if isAtStart || batch[index] != key {
          (key, first, isAtStart) = (batch[index], document, false)
        } else {
          pairs.append(first << 32 | document)
          if hasChains && previous != first { pairs.append(previous << 32 | document) }
        }
        previous = document
      }
      if pairs.count >= 1 << 14 {
        try body(pairs)
        pairs.removeAll(keepingCapacity: true)
      }
    }
    try body(pairs)
  }
}

/// The candidate pairs of all shares of the key range.
package struct CandidatePairs: Sendable {
  package let sets: [BandManifest.SetOfDocuments]
  package let hasChains: Bool
  let runs: [SortedRun]

  /// Directories of the stage `bands`, all shares of one job, in any order.
  package init(_ directories: [String]) throws {
    let manifests = try directories.map {
      try SignatureSet.read(BandManifest.self, from: BandJoin.manifestPath($0))
    }
    guard let first = manifests.first else {
      throw Failure(.usage, "no directory of candidate pairs was given")
    }
    for (manifest, directory) in zip(manifests, directories)
    where manifest.sets != first.sets || manifest.shares != first.shares
      || manifest.hasChains != first.hasChains
    {
      throw Failure(
        .badInput, "is of other signatures, or another division, than \(directories[0])", file: directory,
        remedy: "Join the bands of the same signatures")
    }
    guard manifests.map(\.share).sorted() == Array(0..<first.shares) else {
      throw Failure(
        .usage,
        "the pairs of \(first.shares) shares are needed, once each, not those of \(manifests.map { $0.share + 1 })"
      )
    }
    sets = first.sets
    hasChains = first.hasChains
    runs = try directories.flatMap { try RecordSorter.runs(name: "pairs", in: $0) }
  }

  package init(sets: [BandManifest.SetOfDocuments], runs: [SortedRun]) {
    self.sets = sets
    hasChains = false
    self.runs = runs
  }

  package var documentCount: Int { sets.reduce(0) { $0 + $1.documents } }

  /// Calls `body` with some pairs at a time, ascending and each once: the smaller number above the larger one.
  func forEach(memory: Int, scratch: String, _ body: (UnsafeBufferPointer<UInt64>) throws -> Void) throws {
    let merger = try RecordMerger(
      RecordSorter.compacted(runs, directory: scratch, name: "pairs-merged", most: 400, memory: memory),
      memory: memory)
    var last: UInt64?
    var distinct: [UInt64] = []
    while let batch = try merger.next() {
      try Interruption.check()
      distinct.removeAll(keepingCapacity: true)
      for pair in batch where pair != last {
        distinct.append(pair)
        last = pair
      }
      try distinct.withUnsafeBufferPointer(body)
    }
  }
}
