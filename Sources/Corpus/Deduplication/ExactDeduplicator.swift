import Support

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
  private var postponed: PostponedRepeats?

  /// How many documents ahead the table is told what it will be asked for.
  private static let lookahead = 16

  /// `remembersFirst`: whether removals can name the first occurrence, at 10 to 22 bytes a document.
  package init(remembersFirst: Bool, memory: Int = .max) throws {
    seen = try SeenTable(isWide: true, remembersLocations: remembersFirst, memory: memory / 4 * 3)
    self.memory = memory
  }

  /// Postpones all documents; a directory in which an earlier run was killed is taken up where it stood.
  package init(directory: String, memory: Int, pool: WorkerPool) throws {
    let postponed = try Self.postponed(directory, memory: memory / 2, pool: pool)
    seen = try SeenTable(isWide: true, remembersLocations: false, memory: 0)
    self.memory = memory
    self.postponed = postponed
  }

  /// Hash, two words, and location.
  private static func postponed(_ directory: String, memory: Int, pool: WorkerPool) throws -> PostponedRepeats
  {
    try PostponedRepeats(directory: directory, keyWords: 2, hasPlaces: false, memory: memory, pool: pool)
  }

  /// Blocks of input that need not be postponed again, and a hash of them, chained with ``DocumentBlock/digest``.
  package var finished: (blocks: Int, digest: UInt64) { postponed?.finished ?? (0, 0) }

  /// Whether an earlier run has come to the end of ``resolvePostponed()``.
  package var isResolved: Bool { postponed?.isResolved ?? false }

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
          first =
            try seen.find(hash.low, hash.high)?.first
            ?? postponed!.first(of: location.packed).map { DocumentLocation(packed: $0) }
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
      postponed = try Self.postponed(directory, memory: memory / 4, pool: pool)
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
    var sizes = postponed?.clusters ?? [:]
    seen.forEachRepeated { sizes[$0 + 1, default: 0] += 1 }
    return sizes
  }
}

extension UInt128 {
  fileprivate var low: UInt64 { UInt64(truncatingIfNeeded: self) }
  fileprivate var high: UInt64 { UInt64(truncatingIfNeeded: self >> 64) }
}
