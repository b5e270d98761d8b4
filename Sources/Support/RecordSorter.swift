import Foundation

/// Sorts more records than fit in memory: full buffers become sorted runs in a directory, and ``RecordMerger`` joins
/// them.
///
/// Memory: what was given, half for the records and half for sorting them. Disk: ``RecordFormat/storedBytes`` a record.
///
/// Work that was killed goes on: runs appear by rename, each with a note of what it was made from, and a new sorter on
/// the same directory begins with ``runs`` as they are.
package final class RecordSorter {
  package let format: RecordFormat
  /// The finished runs, in the order in which they were made.
  package private(set) var runs: [SortedRun]

  private let directory: String
  private let name: String
  private let pool: WorkerPool
  private let records: UnsafeMutablePointer<UInt64>
  private let scratch: UnsafeMutablePointer<UInt64>
  private let capacity: Int
  private var count = 0

  /// More runs than this are merged before they are joined: each needs an open file and a buffer.
  private static let mostRuns = 200

  /// `name` starts the names of the run files in `directory`.
  package init(directory: String, name: String, format: RecordFormat, memory: Int, pool: WorkerPool) throws {
    self.directory = directory
    self.name = name
    self.format = format
    self.pool = pool
    capacity = max(1024, memory / (16 * format.words))
    records = .allocate(capacity: capacity * format.words)
    scratch = .allocate(capacity: capacity * format.words)
    runs = []
    while case let path = path(runs.count), Path.exists(path) {
      let run = try SortedRun(path)
      guard run.format == format else {
        throw Failure(.badInput, "holds other records", file: path, remedy: "Remove it and run again")
      }
      runs.append(run)
    }
  }

  deinit {
    records.deallocate()
    scratch.deallocate()
  }

  /// How many more records can be added before ``endRun(note:)``.
  package var room: Int { capacity - count }

  /// Whole records, at most ``room`` of them.
  package func append(_ new: UnsafeBufferPointer<UInt64>) {
    guard let address = new.baseAddress else { return }
    precondition(new.count % format.words == 0 && new.count / format.words <= room)
    (records + count * format.words).initialize(from: address, count: new.count)
    count += new.count / format.words
  }

  package func append(_ new: [UInt64]) { new.withUnsafeBufferPointer { append($0) } }

  /// Writes what was added since the last run, be it nothing, as one more run.
  package func endRun(note: [UInt8] = []) throws {
    try Interruption.check()
    RecordSort.sort(records, scratch: scratch, count: count, format: format, pool: pool)
    let writer = try SortedRun.Writer(path(runs.count), format: format)
    try writer.write(records, count: count)
    runs.append(try writer.finish(note: note))
    count = 0
  }

  /// Adds records without regard to ``room``: full buffers become runs without a note.
  package func appendEndingRuns(_ new: UnsafeBufferPointer<UInt64>) throws {
    var rest = new[...]
    while !rest.isEmpty {
      let piece = rest.prefix(room * format.words)
      append(UnsafeBufferPointer(rebasing: piece))
      rest = rest.dropFirst(piece.count)
      if room == 0 { try endRun() }
    }
  }

  package func appendEndingRuns(_ new: [UInt64]) throws {
    try new.withUnsafeBufferPointer { try appendEndingRuns($0) }
  }

  /// Ends the last run and returns all, at most some two hundred of them.
  package func finish(note: [UInt8] = [], memory: Int) throws -> [SortedRun] {
    if count > 0 || runs.isEmpty { try endRun(note: note) }
    return try Self.compacted(runs, directory: directory, name: name + "-merged", memory: memory)
  }

  /// The same records in few enough runs to be joined at once.
  package static func compacted(_ runs: [SortedRun], directory: String, name: String, memory: Int) throws
    -> [SortedRun]
  {
    var runs = runs
    var made = 0
    while runs.count > mostRuns {
      let path = Path.join(directory, "\(name)-\(made)")
      made += 1
      if !Path.exists(path) {
        let writer = try SortedRun.Writer(path, format: runs[0].format)
        let merger = try RecordMerger(Array(runs[..<mostRuns]), memory: memory)
        while let batch = try merger.next() {
          try Interruption.check()
          try writer.write(batch.baseAddress!, count: batch.count / runs[0].format.words)
        }
        _ = try writer.finish(note: [])
      }
      runs = try Array(runs[mostRuns...]) + [SortedRun(path)]
    }
    return runs
  }

  private func path(_ run: Int) -> String {
    let digits = String(run)
    return Path.join(directory, "\(name)-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits)
  }
}
