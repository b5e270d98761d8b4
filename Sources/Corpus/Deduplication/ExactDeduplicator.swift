import Support

/// Keeps the first of all documents with the same key, and drops empty documents (only white space).
///
/// Keys are compared by their hashes (XXH3, 128 bits, seeded). Among 60 million documents the probability of
/// a collision is 5e-24.
///
/// Documents stream through as long as the table of hashes fits in memory. After that (``isFull``) the table
/// no longer changes: documents that are not in it are postponed and their hashes sorted on disk, and the
/// duplicates among them are known at the end. With a work directory all documents are postponed, and an
/// interrupted run can be resumed.
package struct ExactDeduplicator: ~Copyable {
  private var seen: SeenTable
  private let memory: Int
  private var postponed: PostponedRepeats?

  /// The number of documents by which the table is prefetched ahead.
  private static let lookahead = 16

  /// `remembersFirst` lets removals name the first occurrence; it costs 10 to 22 bytes per document.
  package init(remembersFirst: Bool, memory: Int = .max) throws {
    seen = try SeenTable(isWide: true, remembersLocations: remembersFirst, memory: memory / 4 * 3)
    self.memory = memory
  }

  /// Postpones all documents. If an earlier run in the directory was interrupted, it is resumed.
  ///
  /// `owner` is the tag of the job: see ``ResumableDirectory/tag``.
  package init(directory: String, owner: UInt64 = 0, memory: Int, pool: WorkerPool) throws {
    let postponed = try Self.postponed(directory, owner: owner, memory: memory / 2, pool: pool)
    seen = try SeenTable(isWide: true, remembersLocations: false, memory: 0)
    self.memory = memory
    self.postponed = postponed
  }

  /// A record is the hash, of two words, and the location.
  private static func postponed(_ directory: String, owner: UInt64, memory: Int, pool: WorkerPool) throws
    -> PostponedRepeats
  {
    try PostponedRepeats(
      directory: directory, keyWords: 2, hasLocations: false, owner: owner, memory: memory, pool: pool)
  }

  /// The number of blocks of input that need not be postponed again, and their digest by
  /// ``DocumentBlock/chain(_:_:)``.
  package var finished: (blocks: Int, digest: UInt64) { postponed?.finished ?? (0, 0) }

  /// Whether an earlier run completed ``resolvePostponed()``.
  package var isResolved: Bool { postponed?.isResolved ?? false }

  package var isFull: Bool { seen.isFull || postponed != nil }

  /// The hash of each document; nil for an empty one.
  ///
  /// This step can run on many threads.
  package static func hashes(
    of batch: DocumentBatch, key: ExactKey = .text, keep: KeptDetails = [], seed: UInt64 = 0
  ) -> [UInt128?] {
    var hashes: [UInt128?] = []
    hashes.reserveCapacity(batch.count)
    let comparison = ComparisonKey(keeping: keep)
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

  /// The documents of the batch that are empty or were seen before, in this batch or an earlier one.
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
          first =
            try seen.find(hash.low, hash.high)?.first
            ?? postponed!.first(of: location.packed, at: location.packed).map { DocumentLocation(packed: $0) }
        }
        if first == nil { continue }
      }
      removals.append(Removal(index: index, location: location, first: first))
    }
    return removals
  }

  /// Postpones the documents of a batch that are not in the full table. `blockDigest` is the digest of the
  /// block that the batch was read from.
  package mutating func postpone(
    _ batch: DocumentBatch, hashes: [UInt128?], blockDigest: UInt64, directory: String, pool: WorkerPool
  ) throws {
    if postponed == nil {
      postponed = try Self.postponed(directory, owner: 0, memory: memory / 4, pool: pool)
    }
    var records: [UInt64] = []
    for (index, hash) in hashes.enumerated() {
      guard let hash, !seen.contains(hash.low, hash.high) else { continue }
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
      records += [hash.high, hash.low, location.packed]
    }
    try postponed!.add(records, blockDigest: blockDigest)
  }

  /// Finds the duplicates among the postponed documents. After this, pass the same batches to
  /// ``removals(from:hashes:)`` again.
  package mutating func resolvePostponed() throws { try postponed?.resolve(memory: memory / 4) }

  /// The number of documents with each number of copies above 1.
  package func clusterSizes() -> [Int: Int] {
    var sizes = postponed?.clusters ?? [:]
    seen.forEachRepeated { sizes[$0 + 1, default: 0] += 1 }
    return sizes
  }
}

extension UInt128 {
  fileprivate var low: UInt64 { UInt64(truncatingIfNeeded: self) }
  fileprivate var high: UInt64 { UInt64(truncatingIfNeeded: self >> 64) }
}
