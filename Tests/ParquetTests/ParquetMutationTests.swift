import Foundation
import Support
import TestSupport
import Testing

@testable import Parquet

/// Damages files: nothing crashes, and every row of the footer is read or reported as lost.
///
/// `PKM_PARQUET_RUNS` sets the number of files (default: a few thousand), and `PKM_FUZZ_SEED` the seed of the first.
@Suite(.long, .timeLimit(.minutes(60))) struct ParquetMutationTests {
  private static let extremes: [[UInt8]] = [
    [0x00], [0xff], [0x7f], [0x80], [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0x80],
    [0xfe, 0xff, 0xff, 0xff, 0x0f], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x15, 0x00], [0x1c], [0x19, 0xfc], [0x18],
  ]

  /// The places of headers, levels and the beginnings of values.
  private static func places(_ bytes: [UInt8]) throws -> [Int] {
    let file = try Records.file(bytes)
    var places: [Int] = []
    for group in file.metadata.rowGroups {
      for chunk in group.columns {
        let pages = try PageReader(file, chunk)
        while pages.offset < chunk.pages.upperBound, let page = try pages.next() {
          places += page.offset..<min(page.offset + 60, bytes.count)
        }
      }
    }
    let length = Int(bytes[bytes.count - 8]) | Int(bytes[bytes.count - 7]) << 8
    let footer = (bytes.count - 8 - length)..<bytes.count
    return places + footer + footer
  }

  @Test func everyRowIsReadOrLost() throws {
    let environment = ProcessInfo.processInfo.environment
    let runs = environment["PKM_PARQUET_RUNS"].flatMap { Int($0) } ?? 3000
    let seed = environment["PKM_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
    let sources = try RecordReaderTests.names.map { name in
      let bytes = try RecordReaderTests.fixtures.bytes(name + ".parquet")
      return (bytes, try Self.places(bytes))
    }
    var (opened, lost) = (0, 0)
    for run in 0..<runs {
      var random = RandomGenerator(seed: seed &+ UInt64(run))
      var (bytes, places) = sources[random.below(sources.count)]
      for _ in 0..<(1 + random.below(3)) {
        let at = random.below(8) == 0 ? random.below(bytes.count) : places[random.below(places.count)]
        guard at < bytes.count else { continue }
        switch random.below(8) {
        case 0, 1: bytes[at] ^= 1 << UInt8(random.below(8))
        case 2, 3: bytes[at] = UInt8(random.below(256))
        case 4:
          for (index, byte) in Self.extremes[random.below(Self.extremes.count)].enumerated()
          where at + index < bytes.count {
            bytes[at + index] = byte
          }
        case 5: bytes.replaceSubrange(at..<(at + 1), with: Self.extremes[random.below(Self.extremes.count)])
        case 6: bytes.remove(at: at)
        default:
          let from = places[random.below(places.count)]
          for index in 0..<random.below(20) where at + index < bytes.count && from + index < bytes.count {
            bytes[at + index] = bytes[from + index]
          }
        }
      }
      let started = Progress.now()
      do {
        let file = try Records.file(bytes)
        let rows = file.metadata.rowCount
        // A column of nulls takes no bytes: any number of its rows is sound.
        if rows > 10_000 { continue }
        let result = try Records.read(bytes)
        opened += 1
        lost += result.losses.isEmpty ? 0 : 1
        #expect(
          result.lines.count + result.losses.map(\.rows).reduce(0, +) == rows, "seed \(seed &+ UInt64(run))")
        for line in result.lines where (try? JSONValue(parsing: Array(line.utf8))) == nil {
          Issue.record("seed \(seed &+ UInt64(run)): no JSON: \(line)")
        }
      } catch is ParquetError {}
      let seconds = Progress.now() - started
      #expect(seconds < 5, "seed \(seed &+ UInt64(run)) took \(seconds) s")
    }
    // The mutants are no mere rubbish.
    #expect(opened > runs / 4)
    #expect(lost > runs / 20)
  }
}
