import Foundation
import Support

/// Finds records whose key occurred in an earlier record, on disk: for what does not fit in memory, and for
/// work that can be resumed.
///
/// A record is a key of one or two words, an ascending number, and a location. Incoming records are written
/// to sorted runs, each with a note of the blocks of input that it covers. ``resolve(memory:)`` joins equal
/// keys. After that, ``first(of:)`` answers queries in the order of the numbers. If an earlier run in the
/// directory was interrupted, it is resumed, and repeats that were resolved are not resolved again.
///
/// Disk: 8 bytes per word of a record (6 for the last word without locations), and 16 per repeat.
final class PostponedRepeats {
  /// A key that several records share.
  struct Group: Codable {
    let key: UInt64
    /// The number of the first record.
    let number: UInt64
    var copies: Int

    func precedes(_ other: Group) -> Bool { (other.copies, key) < (copies, other.key) }
  }

  /// The state that is stored with the records of some blocks, and with the repeats.
  private struct State: Codable {
    var blocks = 0
    /// The digest of all blocks so far.
    var digest: UInt64 = 0
    /// The number of the next record, for callers that number records consecutively.
    var next: UInt64 = 0
    var clusters: [Int: Int] = [:]
    var largest: [Group] = []
    /// Once the repeats are known, their sorted runs.
    var runs: [RunRecord] = []

    func check(_ bounds: NumberBounds) throws {
      let most = SignatureProgress.mostCounted
      try bounds.check(blocks, "blocks", in: 0...most)
      try bounds.check(Int(clamping: next), "next", in: 0...most)
      for size in clusters.keys { try bounds.check(size, "a size of clusters", in: 2...most) }
      _ = try bounds.sum(Array(clusters.values), "clusters", most: most)
      for group in largest { try bounds.check(group.copies, "copies of largest", in: 2...most) }
    }
  }

  private let directory: String
  private let pool: WorkerPool
  private let keyWords: Int
  private let owner: UInt64
  private let format: RecordFormat
  private var state = State()
  private var sorter: RecordSorter?
  private var merger: RecordMerger?
  private var batch: [UInt64] = []
  private var position = 0

  private static let largestLimit = 10
  /// The number of a repeat, and the location of the first record with its key.
  private static let repeatFormat = RecordFormat(words: 2, kind: "repeats")

  /// Without `hasLocations` the number of a record is its location. `owner` is the tag of the job: see
  /// ``ResumableDirectory/tag``.
  init(
    directory: String, keyWords: Int, hasLocations: Bool, owner: UInt64 = 0, memory: Int, pool: WorkerPool
  ) throws {
    (self.directory, self.pool, self.keyWords, self.owner) = (directory, pool, keyWords, owner)
    format = RecordFormat(words: keyWords + (hasLocations ? 2 : 1), kind: "hashes")
    if Path.exists(statePath) {
      state = try JSONFile.readSealed(State.self, from: statePath) { [statePath] in
        try $0.check(NumberBounds(statePath))
      }
      let runs = try RecordSorter.runs(
        state.runs, name: "repeats", in: directory, format: Self.repeatFormat)
      merger = try RecordMerger(runs, memory: memory / 2)
      return
    }
    let sorter = try RecordSorter(
      directory: directory, name: "hashes", format: format, owner: owner, memory: memory, pool: pool)
    if let last = sorter.runs.last {
      // If a batch has more records than a run can hold, some runs have no note. Those start again.
      if let noted = try? JSONDecoder().decode(State.self, from: Data(last.note)) {
        try noted.check(NumberBounds(last.path))
        state = noted
      } else {
        try sorter.removeRuns()
      }
    }
    self.sorter = sorter
  }

  private var statePath: String { Path.join(directory, "repeats.json") }

  /// The number of blocks of input that need not be added again, and their digest by
  /// ``DocumentBlock/chain(_:_:)``.
  var finished: (blocks: Int, digest: UInt64) { (state.blocks, state.digest) }

  var isResolved: Bool { merger != nil }

  /// The number of keys with each number of copies above 1.
  var clusters: [Int: Int] { state.clusters }

  /// The keys with the most copies, in descending order.
  var largest: [Group] { state.largest }

  /// The number of the next record.
  var next: UInt64 { state.next }

  /// Adds the records of the next block, which uses `count` numbers.
  func add(_ records: [UInt64], numbers count: Int = 0, blockDigest: UInt64) throws {
    guard let sorter else { return }
    if sorter.freeCapacity < records.count / format.words { try endRun() }
    try sorter.appendEndingRuns(records)
    state.blocks += 1
    state.digest = DocumentBlock.chain(state.digest, blockDigest)
    state.next += UInt64(count)
  }

  private func endRun() throws { try sorter!.endRun(note: Array(JSONEncoder().encode(state))) }

  /// Joins equal keys after all records were added. Does nothing if that is already done.
  func resolve(memory: Int) throws {
    guard sorter != nil else { return }
    try endRun()
    let runs = try sorter!.finish(memory: memory)
    sorter = nil
    let repeats = try RecordSorter(
      directory: directory, name: "repeats", format: Self.repeatFormat, owner: owner, memory: memory / 2,
      pool: pool, isNew: true)
    let merger = try RecordMerger(runs, memory: memory / 2)
    let words = format.words
    // The key and location of the first record with the current key.
    var (first, second, location) = (UInt64(0), UInt64(0), UInt64(0))
    var group = Group(key: 0, number: 0, copies: 0)
    while let batch = try merger.next() {
      try Interruption.check()
      var found: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: words) {
        if group.copies > 0 && batch[index] == first && (keyWords == 1 || batch[index + 1] == second) {
          group.copies += 1
          found.append(batch[index + keyWords])
          found.append(location)
        } else {
          note(group)
          (first, second, location) = (batch[index], batch[index + 1], batch[index + words - 1])
          group = Group(key: first, number: batch[index + keyWords], copies: 1)
        }
      }
      try repeats.appendEndingRuns(found)
    }
    note(group)
    try repeats.endRun()
    state.runs = repeats.runs.map(RunRecord.init)
    self.merger = try RecordMerger(repeats.runs, memory: memory / 2)
    try JSONFile.writeSealed(state, to: statePath)
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

  /// The location of the first record with the same key as record `number`; nil if that record is the first
  /// itself. Call this with ascending numbers.
  ///
  /// `location` is that of record `number`: the first one cannot be behind it.
  func first(of number: UInt64, at location: UInt64) throws -> UInt64? {
    while true {
      if position == batch.count {
        guard let records = try merger?.next() else { return nil }
        batch = Array(records)
        position = 0
      }
      if batch[position] > number { return nil }
      position += 2
      if batch[position - 2] != number { continue }
      guard batch[position - 1] <= location else {
        throw Failure(
          .badInput, "a document repeats one that comes after it", file: directory,
          remedy: "Remove the work directory and run again")
      }
      return batch[position - 1]
    }
  }
}
