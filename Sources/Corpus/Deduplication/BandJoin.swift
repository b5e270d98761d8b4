import Foundation
import Support
import Synchronization

/// The stage `bands`: finds the candidate pairs by joining equal band keys of one or more sets of documents.
///
/// Documents are numbered consecutively over all sets. Of n documents with a key in common each except the
/// first makes one pair, with the first (a star), so there are never more pairs than keys. For verification
/// each also makes a pair with the previous one (a chain), so that a first document that is unlike the others
/// does not separate them.
package struct BandJoin {
  private let sets: [SignatureSet]
  private let hasChains: Bool
  private let memory: Int
  private let pool: WorkerPool

  /// The key range is joined in this many units of work. Finished units are not repeated after an
  /// interruption.
  static let units = 64
  /// A pair: the smaller document number in the upper half, the larger one in the lower half.
  static let pairFormat = RecordFormat(words: 1, kind: "pairs")

  package init(_ sets: [SignatureSet], hasChains: Bool, memory: Int, pool: WorkerPool) throws {
    self.sets = sets
    self.hasChains = hasChains
    self.memory = memory
    self.pool = pool
    for set in sets where set.manifest.options != sets[0].manifest.options {
      throw Failure(
        .badInput, "was made with options different from those of \(sets[0].directory)", file: set.directory,
        remedy: "Make all signatures with the same options")
    }
    for (index, set) in sets.enumerated()
    where sets[..<index].contains(where: { $0.manifest.identity == set.manifest.identity }) {
      throw Failure(
        .badInput, "contains the same documents as another set", file: set.directory,
        remedy: "Give each set once")
    }
    guard sets.reduce(0, { $0 + $1.manifest.documents }) <= SignatureWriter.mostDocuments else {
      throw Failure(.failed, "more than 2³¹ documents", remedy: "Deduplicate a part of them at a time")
    }
  }

  package static func exists(_ directory: String) -> Bool { Path.exists(BandManifest.path(directory)) }

  /// Joins the keys of one share of the range. Other machines may join the other shares.
  ///
  /// `owner` is the tag of the job: see ``ResumableDirectory/tag``.
  package func run(directory: String, owner: UInt64 = 0, share: Int = 0, of shares: Int = 1) throws {
    let sorter = try RecordSorter(
      directory: directory, name: "pairs", format: Self.pairFormat, owner: owner, memory: memory / 2,
      pool: pool, dropsRepeats: true)
    // Merge the runs of each set separately, because a merged run has one offset for all its documents.
    var runs: [SortedRun] = []
    var offsets: [UInt64] = []
    var firstDocument = 0
    var described: [DocumentSet] = []
    for (index, set) in sets.enumerated() {
      let compact = try RecordSorter.compacted(
        set.runs, directory: directory, name: "keys-\(index)", most: max(4, 400 / sets.count),
        memory: memory / 2)
      runs += compact
      offsets += compact.map { _ in UInt64(firstDocument) }
      described.append(set.manifest.documentSet(firstDocument: firstDocument))
      firstDocument += set.manifest.documents
    }

    // Duplicate pairs are dropped, so the pairs of an unfinished unit are simply found again.
    var finished: [Int] = []
    for run in sorter.runs { finished += try run.decodedNote([Int].self) }
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
            let part = rest.prefix(state.sorter.value.freeCapacity)
            state.sorter.value.append(Array(part))
            rest = rest.dropFirst(part.count)
            if state.sorter.value.freeCapacity == 0 {
              try state.sorter.value.endRun(note: Array(JSONEncoder().encode(state.finished)))
              state.finished = []
            }
          }
        }
      }
      state.withLock { $0.finished.append(unit) }
    }
    let written = try state.withLock {
      try $0.sorter.value.endRun(note: Array(JSONEncoder().encode($0.finished)))
      return $0.sorter.value.runs.map(RunRecord.init)
    }
    let manifest = BandManifest(
      sets: described, share: share, shares: shares, hasChains: hasChains, runs: written)
    try JSONFile.writeSealed(manifest, to: BandManifest.path(directory))
  }

  /// A sorter that is used only while its lock is held.
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
