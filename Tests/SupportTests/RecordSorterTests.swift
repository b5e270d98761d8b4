import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct RecordSorterTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Random records; with `distinct` few values of the first word.
  private func records(_ count: Int, words: Int, distinct: Int? = nil, seed: UInt64) -> [[UInt64]] {
    var random = RandomGenerator(seed: seed)
    return (0..<count).map { index in
      (0..<words).map { word in
        if word == words - 1 { return random.next() & 0xff_ffff_ffff }
        return distinct.map { RandomGenerator.mix(UInt64(random.below($0))) } ?? random.next()
      }
    }
  }

  private func sorted(_ records: [[UInt64]]) -> [[UInt64]] {
    records.sorted { $0.lexicographicallyPrecedes($1) }
  }

  private func merged(_ runs: [SortedRun], words: Int, parts: Range<Int> = 0..<256) throws -> [[UInt64]] {
    let merger = try RecordMerger(runs, parts: parts, memory: 1 << 20)
    var all: [[UInt64]] = []
    while let batch = try merger.next() {
      for start in stride(from: 0, to: batch.count, by: words) {
        all.append(Array(batch[start..<(start + words)]))
      }
    }
    return all
  }

  @Test(arguments: [1, 2, 3, 4], [nil, 1, 5])
  func runsAreSortedAndMerged(words: Int, distinct: Int?) throws {
    let all = records(40_000, words: words, distinct: distinct, seed: 3)
    for (threads, memory) in [(1, 1 << 18), (2, 1 << 19), (2, 1 << 30)] {
      let name = "\(threads)-\(memory)"
      let sorter = try RecordSorter(
        directory: scratch.url.path, name: name, format: RecordFormat(words: words, lastBytes: 5),
        memory: memory,
        pool: WorkerPool(threads: threads))
      for record in all { try sorter.appendEndingRuns(record) }
      let runs = try sorter.finish(memory: 1 << 20)
      #expect(runs.reduce(0) { $0 + $1.recordCount } == all.count)
      #expect(memory == 1 << 30 ? runs.count == 1 : runs.count > 1)
      #expect(try merged(runs, words: words) == sorted(all))
      let halves = try merged(runs, words: words, parts: 0..<77) + merged(runs, words: words, parts: 77..<256)
      #expect(halves == sorted(all))
    }
  }

  @Test func largeBuffersAreSortedOnAllThreads() throws {
    let count = 300_000
    var random = RandomGenerator(seed: 9)
    var words = (0..<(2 * count)).map { _ in random.next() }
    // A run of equal keys among them.
    for index in stride(from: 0, to: count, by: 2) { words[index] = 1 << 63 }
    let sorter = try RecordSorter(
      directory: scratch.url.path, name: "big", format: RecordFormat(words: 2), memory: 1 << 30,
      pool: WorkerPool(threads: 2))
    sorter.append(words)
    let expected = sorted(stride(from: 0, to: words.count, by: 2).map { [words[$0], words[$0 + 1]] })
    #expect(try merged(sorter.finish(memory: 1 << 20), words: 2) == expected)
  }

  @Test func aSorterGoesOnFromFinishedRuns() throws {
    let all = records(3000, words: 2, seed: 5)
    let format = RecordFormat(words: 2, lastBytes: 5)
    func sorter() throws -> RecordSorter {
      try RecordSorter(
        directory: scratch.url.path, name: "r", format: format, memory: 1 << 20, pool: WorkerPool(threads: 1))
    }
    let first = try sorter()
    first.append(Array(all[..<1000].joined()))
    try first.endRun(note: [1, 2, 3])
    first.append(Array(all[1000..<2000].joined()))
    // What is not yet a run is lost, and only that.
    let second = try sorter()
    #expect(second.runs.map(\.note) == [[1, 2, 3]] && second.runs[0].recordCount == 1000)
    second.append(Array(all[1000...].joined()))
    #expect(try merged(second.finish(memory: 1 << 20), words: 2) == sorted(all))
  }

  @Test func manyRunsAreMergedBeforehand() throws {
    let all = records(500, words: 1, seed: 6)
    let sorter = try RecordSorter(
      directory: scratch.url.path, name: "m", format: RecordFormat(words: 1), memory: 1 << 20,
      pool: WorkerPool(threads: 1))
    for record in all {
      sorter.append(record)
      try sorter.endRun()
    }
    let runs = try sorter.finish(memory: 1 << 20)
    #expect(runs.count <= 200)
    #expect(try merged(runs, words: 1) == sorted(all))
  }

  @Test func nothingIsARunToo() throws {
    let sorter = try RecordSorter(
      directory: scratch.url.path, name: "n", format: RecordFormat(words: 2), memory: 1 << 20,
      pool: WorkerPool(threads: 1))
    let runs = try sorter.finish(memory: 1 << 20)
    #expect(runs.count == 1 && runs[0].recordCount == 0)
    #expect(try RecordMerger(runs, memory: 1 << 20).next() == nil)
    #expect(try RecordMerger([], memory: 1 << 20).next() == nil)
  }

  @Test func damageIsFound() throws {
    let sorter = try RecordSorter(
      directory: scratch.url.path, name: "d", format: RecordFormat(words: 2), memory: 1 << 20,
      pool: WorkerPool(threads: 1))
    sorter.append(Array(records(1000, words: 2, seed: 7).joined()))
    let path = try sorter.finish(memory: 1 << 20)[0].path
    let good = try MappedFile.read(path)
    var bad = good
    bad[8000] ^= 1
    try Data(bad).write(to: URL(fileURLWithPath: path))
    #expect { try merged([SortedRun(path, format: RecordFormat(words: 2))], words: 2) } throws: {
      ($0 as? Failure)?.kind == .badInput
    }
    for cut in [0, 10, 8000, good.count - 1] {
      try Data(good[..<cut]).write(to: URL(fileURLWithPath: path))
      #expect(throws: Failure.self) { try SortedRun(path, format: RecordFormat(words: 2)) }
    }
    bad = good
    bad[good.count - 60] ^= 1
    try Data(bad).write(to: URL(fileURLWithPath: path))
    #expect(throws: Failure.self) { try SortedRun(path, format: RecordFormat(words: 2)) }
  }
}
