import Support

/// Finds the units that came before anywhere in the corpus.
///
/// Documents stream through as long as the set of hashes fits in memory. From then on (``isFull``) the set stays as it
/// is: batches are postponed, the units that are not in it sorted on disk, and what those repeat among themselves is
/// known when all have come. The result is the same. With a directory of its own it postpones everything, and goes on
/// there after a kill.
///
/// Memory: what was given. Disk: 16 bytes for each postponed unit, 24 with ``UnitRepeats/firsts``, and 16 for each of
/// those that is a repeat.
package struct RepeatedUnits: ~Copyable {
  package private(set) var top = TopUnits()
  private var seen: SeenTable
  private let remembersLocations: Bool
  private let memory: Int
  private var postponed: PostponedRepeats?
  /// Of the postponed units, the number of the first one of the next batch to be taken.
  private var number: UInt64 = 0
  /// Hashes of postponed units in the list of the most frequent, whose text comes along, by number.
  private var wanted: [UInt64: UInt64] = [:]

  /// How many units ahead the table is told what it will be asked for.
  private static let lookahead = 16

  package init(remembersLocations: Bool, memory: Int = .max) throws {
    seen = try SeenTable(isWide: false, remembersLocations: remembersLocations, memory: memory / 4 * 3)
    (self.remembersLocations, self.memory) = (remembersLocations, memory)
  }

  /// Postpones all units; a directory in which an earlier run was killed is taken up where it stood.
  package init(directory: String, remembersLocations: Bool, memory: Int, pool: WorkerPool) throws {
    let postponed = try PostponedRepeats(
      directory: directory, keyWords: 1, hasPlaces: remembersLocations, memory: memory / 2, pool: pool)
    seen = try SeenTable(isWide: false, remembersLocations: remembersLocations, memory: 0)
    (self.remembersLocations, self.memory) = (remembersLocations, memory)
    self.postponed = postponed
  }

  /// Blocks of input that need not be postponed again, and a hash of them, chained with ``DocumentBlock/digest``.
  package var finished: (blocks: Int, digest: UInt64) { postponed?.finished ?? (0, 0) }

  /// Whether an earlier run has come to the end of ``resolvePostponed()``.
  package var isResolved: Bool { postponed?.isResolved ?? false }

  package var isFull: Bool { seen.isFull || postponed != nil }

  /// Looks up the units of the next batch, and remembers them.
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
          guard let first = try postponed.first(of: number) else { continue }
          repeats.isRepeat[unit] = true
          if remembersLocations { repeats.firsts.append(DocumentLocation(packed: first)) }
        }
      }
    }
    number += UInt64(units.hashes.count)
    return repeats
  }

  /// Notes the units of a batch that comes when the set is full; `blockDigest` is that of the block it was read from.
  package mutating func postpone(
    _ units: ParagraphUnits, of batch: DocumentBatch, blockDigest: UInt64, directory: String, pool: WorkerPool
  ) throws {
    if postponed == nil {
      postponed = try PostponedRepeats(
        directory: directory, keyWords: 1, hasPlaces: remembersLocations, memory: memory / 4, pool: pool)
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

  /// Ends the postponing: the same batches can now be taken.
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
