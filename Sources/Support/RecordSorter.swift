import Foundation

/// Sorts more records than fit in memory: writes full buffers as sorted runs to a directory, which
/// ``RecordMerger`` merges.
///
/// Memory: as given, up to 256 MB, half for the records and half for sorting them. Disk:
/// ``RecordFormat/storedBytes`` per record.
///
/// Work that was killed can be resumed: runs appear by rename, each with a note of the input that it covers,
/// and a new sorter on the same directory starts with the ``runs`` that are there.
package final class RecordSorter {
  package let format: RecordFormat
  /// The finished runs, in the order in which they were written.
  package private(set) var runs: [SortedRun]

  private let directory: String
  private let name: String
  private let pool: WorkerPool
  private let records: UnsafeMutablePointer<UInt64>
  private let scratch: UnsafeMutablePointer<UInt64>
  private let dropsRepeats: Bool
  private let owner: UInt64
  private let capacity: Int
  private var count = 0

  /// More runs than this are compacted before the final merge, because each needs an open file and a buffer.
  package static let mostRuns = 200

  /// More memory than this gains nothing: larger runs take longer to sort, and merging fewer runs is not
  /// faster.
  private static let mostMemory = 256 << 20

  /// The names of the run files in `directory` start with `name`. With `dropsRepeats` a run holds equal
  /// records once. With `isNew` the runs of an earlier sorter are removed. `owner` is the job whose state the
  /// runs are; runs of another job are an error.
  package init(
    directory: String, name: String, format: RecordFormat, owner: UInt64 = 0, memory: Int, pool: WorkerPool,
    dropsRepeats: Bool = false, isNew: Bool = false
  ) throws {
    if isNew { try Self.removeRuns(name: name, in: directory) }
    self.directory = directory
    self.name = name
    (self.owner, self.dropsRepeats) = (owner, dropsRepeats)
    self.format = format
    self.pool = pool
    capacity = max(1024, min(memory, Self.mostMemory) / (16 * format.words))
    records = LargePages.allocate(UInt64.self, count: capacity * format.words)
    scratch = LargePages.allocate(UInt64.self, count: capacity * format.words)
    runs = try Self.runs(name: name, in: directory, format: format)
    for run in runs where run.owner != owner {
      throw Failure(
        .badInput, "belongs to another job", file: run.path,
        remedy: "Remove it, or its whole directory, and run again")
    }
    // After a missing run, later ones would be taken for those that follow the new ones.
    var next = runs.count
    while next < runs.count + 100_000 {
      next += 1
      if unlink(Self.path(next, name: name, in: directory)) != 0 { break }
    }
  }

  /// The runs that sorters with this name have finished in a directory.
  package static func runs(name: String, in directory: String, format: RecordFormat) throws -> [SortedRun] {
    var runs: [SortedRun] = []
    while case let path = path(runs.count, name: name, in: directory), Path.exists(path) {
      runs.append(try SortedRun(path, format: format))
    }
    return runs
  }

  /// The runs that a finished stage has recorded; throws unless they are exactly those, and unchanged.
  package static func runs(
    _ records: [RunRecord], name: String, in directory: String, format: RecordFormat
  ) throws -> [SortedRun] {
    let runs = try runs(name: name, in: directory, format: format)
    for (index, record) in records.enumerated()
    where index >= runs.count || RunRecord(runs[index]) != record {
      throw Failure(
        .badInput,
        index >= runs.count
          ? "is missing: it was written with \(record.records) records"
          : "is not the run of \(record.records) records that was written there",
        file: Path.join(directory, Path.name(of: record.name)), remedy: "Remove the directory and run again")
    }
    guard runs.count == records.count else {
      throw Failure(
        .badInput, "does not belong to the \(records.count) runs that were written there",
        file: runs[records.count].path, remedy: "Remove the directory and run again")
    }
    return runs
  }

  package static func path(_ run: Int, name: String, in directory: String) -> String {
    Path.join(directory, "\(name)-\(run.zeroPadded(to: 5))")
  }

  /// Removes the runs of an earlier sorter.
  package func removeRuns() throws {
    try Self.removeRuns(name: name, in: directory)
    runs = []
  }

  /// Removes compacted runs first and then the others from the last to the first, so that after a kill the
  /// remaining ones are still numbered from 0.
  private static func removeRuns(name: String, in directory: String) throws {
    let files = try SystemCall.names(in: directory)
    for file in files.filter({ $0.hasPrefix(name + "-") }).sorted(by: >) {
      unlink(Path.join(directory, file))
    }
  }

  deinit {
    records.deallocate()
    scratch.deallocate()
  }

  /// The number of records that can be added before ``endRun(note:)``.
  package var freeCapacity: Int { capacity - count }

  /// Adds at most ``freeCapacity`` records.
  package func append(_ new: UnsafeBufferPointer<UInt64>) {
    guard let address = new.baseAddress else { return }
    precondition(new.count % format.words == 0 && new.count / format.words <= freeCapacity)
    (records + count * format.words).initialize(from: address, count: new.count)
    count += new.count / format.words
  }

  package func append(_ new: [UInt64]) { new.withUnsafeBufferPointer { append($0) } }

  /// Writes the records added since the last run, even if there are none, as another run.
  package func endRun(note: [UInt8] = []) throws {
    try Interruption.check()
    RecordSort.sort(records, scratch: scratch, count: count, format: format, pool: pool)
    let writer = try SortedRun.Writer(
      Self.path(runs.count, name: name, in: directory), format: format, owner: owner,
      dropsRepeats: dropsRepeats)
    try writer.write(records, count: count)
    runs.append(try writer.finish(note: note))
    count = 0
  }

  /// Adds any number of records; full buffers become runs without a note.
  package func appendEndingRuns(_ new: UnsafeBufferPointer<UInt64>) throws {
    var rest = new[...]
    while !rest.isEmpty {
      let fitting = rest.prefix(freeCapacity * format.words)
      append(UnsafeBufferPointer(rebasing: fitting))
      rest = rest.dropFirst(fitting.count)
      if freeCapacity == 0 { try endRun() }
    }
  }

  package func appendEndingRuns(_ new: [UInt64]) throws {
    try new.withUnsafeBufferPointer { try appendEndingRuns($0) }
  }

  /// Ends the last run and returns all runs, compacted to at most ``mostRuns``. With a note there is a last
  /// run even if it is empty.
  package func finish(note: [UInt8] = [], memory: Int) throws -> [SortedRun] {
    if count > 0 || runs.isEmpty || !note.isEmpty { try endRun(note: note) }
    return try Self.compacted(runs, directory: directory, name: name + "-merged", memory: memory)
  }

  /// Merges runs until there are at most `most`.
  package static func compacted(
    _ runs: [SortedRun], directory: String, name: String, most: Int = mostRuns, memory: Int
  ) throws -> [SortedRun] {
    var runs = runs
    var written = 0
    while runs.count > most {
      let path = Path.join(directory, "\(name)-\(written)")
      written += 1
      // What it was merged from, so that it is not taken for the merging of other runs.
      let note = Array(runs[..<most].map { Hashing.hexadecimal($0.checksum) }.joined().utf8)
      if try !Path.exists(path) || SortedRun(path, format: runs[0].format).note != note {
        let writer = try SortedRun.Writer(path, format: runs[0].format)
        let merger = try RecordMerger(Array(runs[..<most]), memory: memory)
        while let batch = try merger.next() {
          try Interruption.check()
          try writer.write(batch.baseAddress!, count: batch.count / runs[0].format.words)
        }
        _ = try writer.finish(note: note)
      }
      runs = try Array(runs[most...]) + [SortedRun(path, format: runs[0].format)]
    }
    return runs
  }
}
