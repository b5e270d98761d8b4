import Foundation
import Support

/// Which units of a batch came before, and where.
package struct UnitRepeats: Sendable {
  /// Of each unit.
  package var isRepeat: [Bool]
  /// Of each that is, where it came first; empty where that is not remembered.
  package var firsts: [DocumentLocation] = []
}

/// Finds the units that came before anywhere in the corpus.
///
/// Documents stream through as long as the set of hashes fits in memory. From then on (``isFull``) the set stays as it
/// is: batches are postponed, the units that are not in it sorted on disk, and what those repeat among themselves is
/// known when all have come. The result is the same.
///
/// Memory: what was given. Disk: 14 bytes for each postponed unit, 24 with ``UnitRepeats/firsts``, and again for each of
/// those that is a repeat.
package struct RepeatedUnits: ~Copyable {
  package private(set) var top = TopUnits()
  private var seen: SeenTable
  private let memory: Int
  private var postponed: Postponed?

  /// What did not fit: units while documents come, then the repeats in their order.
  fileprivate struct Postponed {
    let directory: String
    let pool: WorkerPool
    /// Hash, number, and where firsts are remembered the location.
    let format: RecordFormat
    var sorter: RecordSorter?
    /// Of the next batch, the number of its first unit.
    var number: UInt64 = 0
    var merger: RecordMerger?
    var batch: [UInt64] = []
    var next = 0
    /// Hashes of units in the list of the most frequent, whose text comes along, by number.
    var wanted: [UInt64: UInt64] = [:]
  }

  /// How many units ahead the table is told what it will be asked for.
  private static let lookahead = 16

  package init(remembersLocations: Bool, memory: Int = .max) throws {
    seen = try SeenTable(isWide: false, remembersLocations: remembersLocations, memory: memory / 4 * 3)
    self.memory = memory
  }

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
          if seen.remembersLocations { repeats.firsts.append(entry.first) }
          top.note(hash, repeats: entry.repeats) { units.text(of: unit, document: document, in: batch) }
        } else if postponed != nil {
          let first = try postponed!.first(of: unit, top: &top) {
            units.text(of: unit, document: document, in: batch)
          }
          guard let first else { continue }
          repeats.isRepeat[unit] = true
          if seen.remembersLocations { repeats.firsts.append(first) }
        }
      }
    }
    postponed?.number += UInt64(units.hashes.count)
    return repeats
  }

  /// Notes the units of a batch that comes when the set is full.
  package mutating func postpone(
    _ units: ParagraphUnits, of batch: DocumentBatch, directory: String, pool: WorkerPool
  ) throws {
    if postponed == nil {
      let format = seen.remembersLocations ? RecordFormat(words: 3) : RecordFormat(words: 2, lastBytes: 6)
      postponed = Postponed(
        directory: directory, pool: pool, format: format,
        sorter: try RecordSorter(
          directory: directory, name: "units", format: format, memory: memory / 4, pool: pool))
    }
    var records: [UInt64] = []
    for document in 0..<batch.count {
      let location = DocumentLocation(source: batch.source.index, line: batch.lines[document])
      for unit in units.units(of: document) where !seen.contains(units.hashes[unit]) {
        records.append(units.hashes[unit])
        records.append(postponed!.number + UInt64(unit))
        if seen.remembersLocations { records.append(location.packed) }
      }
    }
    try postponed!.sorter!.appendEndingRuns(records)
    postponed!.number += UInt64(units.hashes.count)
  }

  /// Ends the postponing: the same batches can now be taken.
  package mutating func resolvePostponed() throws {
    guard postponed != nil else { return }
    let runs = try postponed!.sorter!.finish(memory: memory / 4)
    postponed!.sorter = nil
    let words = postponed!.format.words
    let repeats = try RecordSorter(
      directory: postponed!.directory, name: "repeats", format: RecordFormat(words: 2), memory: memory / 8,
      pool: postponed!.pool)
    let merger = try RecordMerger(runs, memory: memory / 8)
    // Of the open group.
    var (hash, number, place): (UInt64, UInt64, UInt64) = (0, 0, 0)
    var count = -1
    var numbers: [UInt64: UInt64] = [:]
    func endGroup(_ top: inout TopUnits) {
      guard count > 0 else { return }
      top.note(hash, repeats: count) { "" }
      if top.entries.contains(where: { $0.hash == hash }) { numbers[hash] = number }
    }
    while let batch = try merger.next() {
      try Interruption.check()
      var records: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: words) {
        if count >= 0 && batch[index] == hash {
          count += 1
          records.append(batch[index + 1])
          records.append(place)
        } else {
          endGroup(&top)
          (hash, number, count) = (batch[index], batch[index + 1], 0)
          place = words == 3 ? batch[index + 2] : 0
        }
      }
      try repeats.appendEndingRuns(records)
    }
    endGroup(&top)
    for entry in top.entries {
      if let number = numbers[entry.hash] { postponed!.wanted[number] = entry.hash }
    }
    postponed!.merger = try RecordMerger(repeats.finish(memory: memory / 8), memory: memory / 8)
    postponed!.number = 0
  }
}

extension RepeatedUnits.Postponed {
  /// The first occurrence of a unit of the batch at hand, nil where it is the first; units have to be asked for in
  /// order.
  fileprivate mutating func first(of unit: Int, top: inout TopUnits, text: () -> String) throws
    -> DocumentLocation?
  {
    let number = number + UInt64(unit)
    if !wanted.isEmpty, let hash = wanted.removeValue(forKey: number) { top.setText(of: hash, text()) }
    if next == batch.count {
      guard let records = try merger?.next() else { return nil }
      batch = Array(records)
      next = 0
    }
    guard batch[next] == number else { return nil }
    next += 2
    return DocumentLocation(packed: batch[next - 1])
  }
}
