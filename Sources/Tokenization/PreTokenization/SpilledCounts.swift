import Foundation
import HeapModule
import Support

/// Counts that did not fit in memory: files of sorted words, merged at the end.
///
/// The files are in a temporary directory, which is removed with this value.
struct SpilledCounts: ~Copyable {
  /// The number of files merged at once; more are merged in rounds.
  static let mergeWidth = 64

  /// The number of files written so far.
  private(set) var written = 0
  private let parent: String
  private var directory: TemporaryDirectory?
  private var runs: [Run] = []

  struct Run: Sendable {
    let path: String

    /// Writes the words of a table in order and empties it.
    func write(_ table: inout CountTable) throws {
      let file = try RunWriter(path)
      try table.drainSorted { try file.append($0, $1) }
      try file.close()
    }
  }

  init(in directory: String) { parent = directory }

  /// The next file.
  mutating func newRun() throws -> Run {
    let directory = try directory ?? TemporaryDirectory(in: parent)
    self.directory = directory
    written += 1
    return Run(path: Path.join(directory.path, "\(written)"))
  }

  /// Adds a file that has been written.
  mutating func add(_ run: Run) { runs.append(run) }

  /// Calls `body` with each word and the sum of its counts, in the order of their bytes, and removes all
  /// files.
  mutating func merge(_ body: (UnsafeBufferPointer<UInt8>, Int) throws -> Void) throws {
    while runs.count > Self.mergeWidth {
      let some = Array(runs.prefix(Self.mergeWidth))
      runs.removeFirst(Self.mergeWidth)
      let run = try newRun()
      let file = try RunWriter(run.path)
      try Self.merge(some) { try file.append($0, $1) }
      try file.close()
      runs.append(run)
      for old in some { unlink(old.path) }
    }
    defer { (directory, runs) = (nil, []) }
    try Self.merge(runs, body)
  }

  private static func merge(_ runs: [Run], _ body: (UnsafeBufferPointer<UInt8>, Int) throws -> Void) throws {
    var heap = Heap<NextWord>()
    for run in runs {
      let reader = try WordCountReader(run.path)
      if try reader.advance() { heap.insert(NextWord(reader: reader)) }
    }
    var word: [UInt8] = []
    while let first = heap.min {
      try Interruption.check()
      word.removeAll(keepingCapacity: true)
      word.append(contentsOf: first.reader.word)
      var count = 0
      while let least = heap.min, least.reader.word == word {
        count &+= least.reader.count
        // The reader's word changes while the heap holds it. Neither call compares the element that it
        // removes.
        if try least.reader.advance() { heap.replaceMin(with: least) } else { heap.removeMin() }
      }
      try word.withUnsafeBufferPointer { try body($0, count) }
    }
  }

  /// A reader, ordered by its current word.
  private struct NextWord: Comparable {
    let reader: WordCountReader

    static func < (a: Self, b: Self) -> Bool {
      a.reader.word.withUnsafeBufferPointer { first in
        b.reader.word.withUnsafeBufferPointer { first.precedes($0) }
      }
    }
    static func == (a: Self, b: Self) -> Bool { a.reader.word == b.reader.word }
  }
}

/// A temporary file of word counts, which is written once, read once and never synced.
final class RunWriter {
  private let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []

  init(_ path: String) throws {
    self.path = path
    descriptor = try SystemCall.open(path, O_WRONLY | O_CREAT | O_EXCL)
    buffer.reserveCapacity(1 << 17)
  }

  deinit { Foundation.close(descriptor) }

  func append(_ word: UnsafeBufferPointer<UInt8>, _ count: Int) throws {
    WordCountFile.append(word, count: count, isPlain: false, to: &buffer)
    if buffer.count >= 1 << 16 { try close() }
  }

  /// Writes the buffer to the file.
  func close() throws {
    try buffer.withUnsafeBytes { try SystemCall.write(descriptor, $0, path: path) }
    buffer.removeAll(keepingCapacity: true)
  }
}
