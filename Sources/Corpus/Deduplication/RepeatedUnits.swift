import Support

/// Finds units that occurred earlier in the corpus.
///
/// Documents stream through as long as the set of hashes fits in memory. After that (``isFull``) the set no
/// longer changes: batches are postponed and units that are not in the set are sorted on disk, and the
/// repeats among them are known at the end. The result is the same. With a work directory all units are
/// postponed, and an interrupted run can be resumed.
///
/// Memory: the given limit. Disk: 16 bytes per postponed unit, 24 with ``UnitRepeats/firsts``, and 16 per
/// postponed unit that is a repeat.
package struct RepeatedUnits: ~Copyable {
  package private(set) var top = TopUnits()
  private var seen: SeenTable
  private let remembersLocations: Bool
  private let memory: Int
  private var postponed: PostponedRepeats?
  /// The number of the first postponed unit of the next batch.
  private var number: UInt64 = 0
  /// The hashes, by number, of postponed units that are among the most frequent and whose text is still
  /// needed.
  private var wanted: [UInt64: UInt64] = [:]

  /// The number of units by which the table is prefetched ahead.
  private static let lookahead = 16

  package init(remembersLocations: Bool, memory: Int = .max) throws {
    seen = try SeenTable(isWide: false, remembersLocations: remembersLocations, memory: memory / 4 * 3)
    (self.remembersLocations, self.memory) = (remembersLocations, memory)
  }

  /// Postpones all units. If an earlier run in the directory was interrupted, it is resumed.
  ///
  /// `owner` is the tag of the job: see ``ResumableDirectory/tag``.
  package init(
    directory: String, remembersLocations: Bool, owner: UInt64 = 0, memory: Int, pool: WorkerPool
  ) throws {
    let postponed = try PostponedRepeats(
      directory: directory, keyWords: 1, hasLocations: remembersLocations, owner: owner, memory: memory / 2,
      pool: pool)
    seen = try SeenTable(isWide: false, remembersLocations: remembersLocations, memory: 0)
    (self.remembersLocations, self.memory) = (remembersLocations, memory)
    self.postponed = postponed
  }

  /// The number of blocks of input that need not be postponed again, and their digest by
  /// ``DocumentBlock/chain(_:_:)``.
  package var finished: (blocks: Int, digest: UInt64) { postponed?.finished ?? (0, 0) }

  /// Whether an earlier run completed ``resolvePostponed()``.
  package var isResolved: Bool { postponed?.isResolved ?? false }

  package var isFull: Bool { seen.isFull || postponed != nil }

  /// Looks up the units of the next batch and remembers them.
  package mutating func take(_ units: ParagraphUnits, of batch: DocumentBatch) throws -> UnitRepeats {
    var repeats = UnitRepeats(isRepeat: [Bool](repeating: false, count: units.hashes.count))
    for document in 0..<batch.count {
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[document])
      for unit in units.units(of: document) {
        if unit + Self.lookahead < units.hashes.count { seen.prefetch(units.hashes[unit + Self.lookahead]) }
        let hash = units.hashes[unit]
        if let entry = try postponed == nil ? seen.insert(hash, at: location) : seen.find(hash) {
          repeats.isRepeat[unit] = true
          if remembersLocations { repeats.firsts.append(entry.first) }
          top.note(hash, repeats: entry.repeats) { units.text(of: unit, document: document, in: batch) }
        } else if let postponed {
          let number = number + UInt64(unit)
          if !wanted.isEmpty, let hash = wanted.removeValue(forKey: number) {
            top.setText(of: hash, units.text(of: unit, document: document, in: batch))
          }
          guard let first = try postponed.first(of: number, at: location.packed) else { continue }
          repeats.isRepeat[unit] = true
          if remembersLocations { repeats.firsts.append(DocumentLocation(packed: first)) }
        }
      }
    }
    number += UInt64(units.hashes.count)
    return repeats
  }

  /// Postpones the units of a batch that are not in the full set. `blockDigest` is the digest of the block
  /// that the batch was read from.
  package mutating func postpone(
    _ units: ParagraphUnits, of batch: DocumentBatch, blockDigest: UInt64, directory: String, pool: WorkerPool
  ) throws {
    if postponed == nil {
      postponed = try PostponedRepeats(
        directory: directory, keyWords: 1, hasLocations: remembersLocations, memory: memory / 4, pool: pool)
    }
    var records: [UInt64] = []
    for document in 0..<batch.count {
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[document])
      for unit in units.units(of: document) where !seen.contains(units.hashes[unit]) {
        records.append(units.hashes[unit])
        records.append(postponed!.next + UInt64(unit))
        if remembersLocations { records.append(location.packed) }
      }
    }
    try postponed!.add(records, numbers: units.hashes.count, blockDigest: blockDigest)
  }

  /// Finds the repeats among the postponed units. After this, pass the same batches to ``take(_:of:)`` again.
  package mutating func resolvePostponed() throws {
    guard let postponed else { return }
    try postponed.resolve(memory: memory / 4)
    for group in postponed.largest {
      top.note(group.key, repeats: group.copies - 1) { "" }
      wanted[group.number] = group.key
    }
    number = 0
  }
}
