import Foundation
import Support

/// A document that was removed, and why.
package struct Removal: Sendable, Equatable {
  /// Its number in the batch.
  package let index: Int
  package let location: DocumentLocation
  /// nil: the document was empty.
  package let first: DocumentLocation?

  package init(index: Int, location: DocumentLocation, first: DocumentLocation?) {
    self.index = index
    self.location = location
    self.first = first
  }
}

/// What of a document has to be equal.
package enum ExactKey: String, Sendable, CaseIterable {
  /// Its bytes.
  case text
  /// Its ``ComparisonKey``; for a document without a letter or digit, its bytes.
  case normalized
}

/// Keeps the first of all documents with the same key, and no empty document (nothing but ASCII white space).
///
/// The hash of the key (XXH3 with 128 bits, seeded) stands for it: 60 million documents collide with probability 5e-24.
///
/// Documents stream through as long as the table of hashes fits in memory. From then on (``isFull``) the table stays as
/// it is: documents that are not in it are postponed, their hashes sorted on disk, and what those repeat among themselves
/// is known when all have come. With a directory of its own it postpones everything, and goes on there after a kill.
package struct ExactDeduplicator: ~Copyable {
  private var seen: SeenTable
  private let memory: Int
  private var postponed: Postponed?

  /// What did not fit: hashes with locations while documents come, then the removals in the order of the input.
  fileprivate struct Postponed {
    let directory: String
    let pool: WorkerPool
    var hashes: RecordSorter?
    var merger: RecordMerger?
    var batch: [UInt64] = []
    var next = 0
    var state = State()
  }

  /// What is noted down with the hashes of some blocks, and with the removals.
  fileprivate struct State: Codable {
    var blocks = 0
    /// Of all blocks so far.
    var digest: UInt64 = 0
    var clusters: [Int: Int] = [:]
  }

  /// How many documents ahead the table is told what it will be asked for.
  private static let lookahead = 16

  /// `remembersFirst`: whether removals can name the first occurrence, at 10 to 22 bytes a document.
  package init(remembersFirst: Bool, memory: Int = .max) throws {
    seen = try SeenTable(isWide: true, remembersLocations: remembersFirst, memory: memory / 4 * 3)
    self.memory = memory
  }

  /// Postpones all documents; a directory in which an earlier run was killed is taken up where it stood.
  package init(directory: String, memory: Int, pool: WorkerPool) throws {
    let postponed = try Postponed(directory: directory, memory: memory / 2, pool: pool)
    seen = try SeenTable(isWide: true, remembersLocations: false, memory: 0)
    self.memory = memory
    self.postponed = postponed
  }

  /// Blocks of input that need not be postponed again, and a hash of them, chained with ``DocumentBlock/digest``.
  package var finished: (blocks: Int, digest: UInt64) {
    (postponed?.state.blocks ?? 0, postponed?.state.digest ?? 0)
  }

  /// Whether an earlier run has come to the end of ``resolvePostponed()``.
  package var isResolved: Bool { postponed?.merger != nil }

  package var isFull: Bool { seen.isFull || postponed != nil }

  /// The hash of each document; nil for an empty one.
  ///
  /// This half can run on many threads.
  package static func hashes(of batch: DocumentBatch, key: ExactKey = .text, seed: UInt64 = 0) -> [UInt128?] {
    var hashes: [UInt128?] = []
    hashes.reserveCapacity(batch.count)
    let comparison = ComparisonKey()
    var normalized: [UInt8] = []
    batch.forEachDocument { _, text in
      if Bytes.isBlank(text[...]) {
        hashes.append(nil)
        return
      }
      if key == .normalized {
        normalized.removeAll(keepingCapacity: true)
        comparison.append(keyOf: text, to: &normalized)
        if !normalized.isEmpty {
          hashes.append(normalized.withUnsafeBytes { Hashing.xxh3Wide($0, seed: seed) })
          return
        }
      }
      hashes.append(Hashing.xxh3Wide(text, seed: seed))
    }
    return hashes
  }

  /// What of the batch is empty or was seen before, in this batch or one given earlier.
  package mutating func removals(from batch: DocumentBatch, hashes: [UInt128?]) throws -> [Removal] {
    var removals: [Removal] = []
    for index in 0..<batch.count {
      if index + Self.lookahead < batch.count, let next = hashes[index + Self.lookahead] {
        seen.prefetch(next.low)
      }
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
      var first: DocumentLocation?
      if let hash = hashes[index] {
        if postponed == nil {
          first = try seen.insert(hash.low, hash.high, at: location)?.first
        } else {
          first = try seen.find(hash.low, hash.high)?.first ?? postponed!.first(of: location)
        }
        if first == nil { continue }
      }
      removals.append(Removal(index: index, location: location, first: first))
    }
    return removals
  }

  /// Notes the documents of a batch that comes when the table is full; `blockDigest` is that of the block it was read
  /// from.
  package mutating func postpone(
    _ batch: DocumentBatch, hashes: [UInt128?], blockDigest: UInt64, directory: String, pool: WorkerPool
  ) throws {
    if postponed == nil {
      postponed = try Postponed(directory: directory, memory: memory / 4, pool: pool)
    }
    var records: [UInt64] = []
    for (index, hash) in hashes.enumerated() {
      guard let hash, !seen.contains(hash.low, hash.high) else { continue }
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
      records += [hash.high, hash.low, location.packed]
    }
    try postponed!.add(records, blockDigest: blockDigest)
  }

  /// Ends the postponing: the same batches can now be given to ``removals(from:hashes:)``.
  package mutating func resolvePostponed() throws { try postponed?.resolve(memory: memory / 4) }

  /// How many documents have a number of copies, for each number above 1.
  package func clusterSizes() -> [Int: Int] {
    var sizes = postponed?.state.clusters ?? [:]
    seen.forEachRepeated { sizes[$0 + 1, default: 0] += 1 }
    return sizes
  }
}

extension ExactDeduplicator.Postponed {
  /// Hash, two words, and location.
  private static let hashFormat = RecordFormat(words: 3)
  /// Location of a document that goes, and of the one that stays.
  private static let removalFormat = RecordFormat(words: 2)

  private static func statePath(_ directory: String) -> String { Path.join(directory, "exact.json") }

  fileprivate init(directory: String, memory: Int, pool: WorkerPool) throws {
    (self.directory, self.pool) = (directory, pool)
    if Path.exists(Self.statePath(directory)) {
      state = try SignatureSet.read(ExactDeduplicator.State.self, from: Self.statePath(directory))
      merger = try RecordMerger(RecordSorter.runs(name: "removals", in: directory), memory: memory / 2)
      return
    }
    let sorter = try RecordSorter(
      directory: directory, name: "hashes", format: Self.hashFormat, memory: memory, pool: pool)
    if let last = sorter.runs.last {
      // A batch of more documents than a run holds leaves runs without a note: these begin anew.
      if let noted = try? JSONDecoder().decode(ExactDeduplicator.State.self, from: Data(last.note)) {
        state = noted
      } else {
        sorter.removeRuns()
      }
    }
    hashes = sorter
  }

  fileprivate mutating func add(_ records: [UInt64], blockDigest: UInt64) throws {
    guard let hashes else { return }
    if hashes.room < records.count / Self.hashFormat.words { try endRun() }
    try hashes.appendEndingRuns(records)
    state.blocks += 1
    state.digest = SignatureSet.chain(state.digest, blockDigest)
  }

  private func endRun() throws { try hashes!.endRun(note: Array(JSONEncoder().encode(state))) }

  /// Joins equal hashes: every location but the first, with the first, sorted by location.
  fileprivate mutating func resolve(memory: Int) throws {
    guard let sorter = hashes else { return }
    try endRun()
    let runs = try sorter.finish(memory: memory)
    hashes = nil
    let removals = try RecordSorter(
      directory: directory, name: "removals", format: Self.removalFormat, memory: memory / 2, pool: pool)
    removals.removeRuns()
    let merger = try RecordMerger(runs, memory: memory / 2)
    var (high, low, first, copies): (UInt64, UInt64, UInt64, Int) = (0, 0, 0, 0)
    while let batch = try merger.next() {
      try Interruption.check()
      var found: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: 3) {
        if copies > 0 && batch[index] == high && batch[index + 1] == low {
          copies += 1
          found += [batch[index + 2], first]
        } else {
          if copies > 1 { state.clusters[copies, default: 0] += 1 }
          (high, low, first, copies) = (batch[index], batch[index + 1], batch[index + 2], 1)
        }
      }
      try removals.appendEndingRuns(found)
    }
    if copies > 1 { state.clusters[copies, default: 0] += 1 }
    self.merger = try RecordMerger(removals.finish(memory: memory / 2), memory: memory / 2)
    try SignatureSet.write(state, to: Self.statePath(directory))
  }

  /// The first occurrence of a document that is to be removed; locations have to be asked for in ascending order.
  fileprivate mutating func first(of location: DocumentLocation) throws -> DocumentLocation? {
    while true {
      if next == batch.count {
        guard let records = try merger?.next() else { return nil }
        batch = Array(records)
        next = 0
      }
      if batch[next] == location.packed {
        next += 2
        return DocumentLocation(packed: batch[next - 1])
      }
      if batch[next] > location.packed { return nil }
      next += 2
    }
  }
}

extension UInt128 {
  fileprivate var low: UInt64 { UInt64(truncatingIfNeeded: self) }
  fileprivate var high: UInt64 { UInt64(truncatingIfNeeded: self >> 64) }
}
