import Foundation
import Support

/// Finds out which of many records have the key of an earlier one, on disk: for what does not fit in memory, and for work
/// that goes on after a kill.
///
/// A record is a key of one or two words, a number that ascends, and where it stands. While records come they are put into
/// sorted runs, each with a note of the blocks of input that it covers; ``resolve(memory:)`` joins equal keys; after that
/// ``first(of:)`` knows the repeats in the order of their numbers. A directory in which an earlier run of the program was
/// killed is taken up where it stood, and what was resolved stays so.
///
/// Disk: 8 bytes a word of a record (6 for the last word without places), and 16 for each repeat.
final class PostponedRepeats {
  /// A key that several records have.
  struct Group: Codable {
    let key: UInt64
    /// Of the first record.
    let number: UInt64
    var copies: Int

    func precedes(_ other: Group) -> Bool { (other.copies, key) < (copies, other.key) }
  }

  /// What is noted down with the records of some blocks, and with the repeats.
  private struct State: Codable {
    var blocks = 0
    /// Of all blocks so far.
    var digest: UInt64 = 0
    /// The number of the next record, for who numbers them one by one.
    var next: UInt64 = 0
    var clusters: [Int: Int] = [:]
    var largest: [Group] = []
  }

  private let directory: String
  private let pool: WorkerPool
  private let keyWords: Int
  private let format: RecordFormat
  private var state = State()
  private var sorter: RecordSorter?
  private var merger: RecordMerger?
  private var batch: [UInt64] = []
  private var position = 0

  private static let largestLimit = 10
  /// The number of a repeat, and the place of the first record with its key.
  private static let repeatFormat = RecordFormat(words: 2)

  /// Without `hasPlaces` a number is the place.
  init(directory: String, keyWords: Int, hasPlaces: Bool, memory: Int, pool: WorkerPool) throws {
    (self.directory, self.pool, self.keyWords) = (directory, pool, keyWords)
    format = RecordFormat(words: keyWords + (hasPlaces ? 2 : 1))
    if Path.exists(statePath) {
      state = try ManifestFile.read(State.self, from: statePath)
      merger = try RecordMerger(RecordSorter.runs(name: "repeats", in: directory), memory: memory / 2)
      return
    }
    let sorter = try RecordSorter(
      directory: directory, name: "hashes", format: format, memory: memory, pool: pool)
    if let last = sorter.runs.last {
      // A batch of more records than a run holds leaves runs without a note: these begin anew.
      if let noted = try? JSONDecoder().decode(State.self, from: Data(last.note)) {
        state = noted
      } else {
        try sorter.removeRuns()
      }
    }
    self.sorter = sorter
  }

  private var statePath: String { Path.join(directory, "repeats.json") }

  /// Blocks of input that need not come again, and a hash of them, chained with ``DocumentBlock/digest``.
  var finished: (blocks: Int, digest: UInt64) { (state.blocks, state.digest) }

  var isResolved: Bool { merger != nil }

  /// How many keys have a number of copies, for each number above 1.
  var clusters: [Int: Int] { state.clusters }

  /// The keys with the most copies, these first.
  var largest: [Group] { state.largest }

  /// The number of the next record.
  var next: UInt64 { state.next }

  /// The records of the next block, which stands for `count` numbers.
  func add(_ records: [UInt64], numbers count: Int = 0, blockDigest: UInt64) throws {
    guard let sorter else { return }
    if sorter.room < records.count / format.words { try endRun() }
    try sorter.appendEndingRuns(records)
    state.blocks += 1
    state.digest = DocumentBlock.chain(state.digest, blockDigest)
    state.next += UInt64(count)
  }

  private func endRun() throws { try sorter!.endRun(note: Array(JSONEncoder().encode(state))) }

  /// Joins equal keys, once all records have come; nothing is left to do where that is done.
  func resolve(memory: Int) throws {
    guard sorter != nil else { return }
    try endRun()
    let runs = try sorter!.finish(memory: memory)
    sorter = nil
    let repeats = try RecordSorter(
      directory: directory, name: "repeats", format: Self.repeatFormat, memory: memory / 2, pool: pool,
      isNew: true)
    let merger = try RecordMerger(runs, memory: memory / 2)
    let words = format.words
    // Of the first record with the key at hand.
    var (first, second, place) = (UInt64(0), UInt64(0), UInt64(0))
    var group = Group(key: 0, number: 0, copies: 0)
    while let batch = try merger.next() {
      try Interruption.check()
      var found: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: words) {
        if group.copies > 0 && batch[index] == first && (keyWords == 1 || batch[index + 1] == second) {
          group.copies += 1
          found.append(batch[index + keyWords])
          found.append(place)
        } else {
          note(group)
          (first, second, place) = (batch[index], batch[index + 1], batch[index + words - 1])
          group = Group(key: first, number: batch[index + keyWords], copies: 1)
        }
      }
      try repeats.appendEndingRuns(found)
    }
    note(group)
    self.merger = try RecordMerger(repeats.finish(memory: memory / 2), memory: memory / 2)
    try ManifestFile.write(state, to: statePath)
  }

  private func note(_ group: Group) {
    if group.copies < 2 { return }
    state.clusters[group.copies, default: 0] += 1
    if state.largest.count == Self.largestLimit {
      if !group.precedes(state.largest.last!) { return }
      state.largest.removeLast()
    }
    state.largest.insert(group, at: state.largest.firstIndex(where: group.precedes) ?? state.largest.count)
  }

  /// The place of the first record with the key of the one that is asked for, nil where it is the first; numbers have to
  /// be asked for in ascending order.
  func first(of number: UInt64) throws -> UInt64? {
    while true {
      if position == batch.count {
        guard let records = try merger?.next() else { return nil }
        batch = Array(records)
        position = 0
      }
      if batch[position] > number { return nil }
      position += 2
      if batch[position - 2] == number { return batch[position - 1] }
    }
  }
}
