import CLZ4
import Foundation
import Support
import TestSupport
import Testing

@testable import Parquet

/// Reads files that pyarrow has written.
@Suite(.timeLimit(.minutes(60))) struct RecordReaderTests {
  static let fixtures = Fixtures(of: .module)
  static let names = ["flat", "delta", "nested", "plain"]

  /// The files of Fixtures are those of Tests/Peers/parquet_files.py --small.
  @Test(arguments: names) func readsWhatWasWritten(_ name: String) throws {
    try Self.check(try Self.fixtures.bytes(name + ".parquet"), try Self.fixtures.text(name + ".jsonl"), name)
  }

  /// Every type, encoding, codec and version of pages, with nulls and without, flat and nested.
  @Test(.peers) func readsWhatPyarrowWrites() throws {
    let scratch = try Scratch()
    _ = try Peers.run("parquet_files.py", [scratch.url.path])
    let names = scratch.names.filter { $0.hasSuffix(".parquet") }
    #expect(names.count == 54)
    for name in names {
      let lines = try scratch.text(name.replacing(".parquet", with: ".jsonl"))
      try Self.check(try scratch.bytes(name), lines, name)
    }
  }

  private static func check(_ bytes: [UInt8], _ expected: String, _ name: String) throws {
    let result = try Records.read(bytes)
    #expect(result.losses.isEmpty, "\(name): \(result.losses)")
    let expected = expected.split(separator: "\n").map(String.init)
    #expect(result.lines.count == expected.count, "\(name)")
    if let row = zip(result.lines, expected).enumerated().first(where: { !Records.agree($1.0, $1.1) }) {
      Issue.record("\(name), row \(row.offset):\n\(row.element.0)\n\(row.element.1)")
    }
  }

  @Test func readsChosenColumnsAndAddsMembers() throws {
    let bytes = try Self.fixtures.bytes("flat.parquet")
    let result = try Records.read(bytes, members: [("year", "1999"), ("text", "x"), ("none", nil)]) {
      $0 == "i32"
    }
    #expect(result.lines.count == 50)
    #expect(result.lines.allSatisfy { $0.hasPrefix("{\"i32\":") })
    #expect(result.lines.allSatisfy { $0.hasSuffix(",\"year\":\"1999\",\"none\":null}") })
  }

  @Test func refusesFilesThatEndEarly() throws {
    let bytes = try Self.fixtures.bytes("flat.parquet")
    for count in [0, 4, 11, 12, 100, bytes.count - 1] {
      #expect(throws: ParquetError.self) { try Records.file(Array(bytes.prefix(count))) }
    }
  }

  /// A page whose checksum is wrong costs the rest of its row group, and that is said.
  @Test func damageCostsTheRestOfARowGroup() throws {
    var bytes = try Self.fixtures.bytes("nested.parquet")
    let sound = try Records.read(bytes).lines
    let file = try Records.file(bytes)
    #expect(file.metadata.rowGroups.map(\.rowCount) == [20, 10])
    // The last byte of the last page of the longest column.
    let longest = file.metadata.rowGroups[0].columns.max { $0.compressedSize < $1.compressedSize }!
    bytes[longest.pages.upperBound - 1] ^= 1
    let result = try Records.read(bytes)
    #expect(result.losses.count == 1)
    let loss = try #require(result.losses.first)
    #expect(loss.error.message == "the checksum of a page is wrong")
    #expect(loss.rowGroup == 0)
    #expect(loss.rows > 0 && loss.rows < 20)
    #expect(result.lines == sound.prefix(20 - loss.rows) + sound.suffix(10))
  }

  @Test func readsLZ4InTheFramingOfHadoop() throws {
    let text = [UInt8]((0..<1000).map { UInt8(truncatingIfNeeded: $0 / 7) })
    var packed = [UInt8](repeating: 0, count: 2000)
    var framed: [UInt8] = []
    for part in [text[..<600], text[600...]] {
      let part = Array(part)
      let size = part.withUnsafeBytes { part in
        packed.withUnsafeMutableBytes {
          LZ4_compress_default(
            part.baseAddress!.assumingMemoryBound(to: CChar.self),
            $0.baseAddress!.assumingMemoryBound(to: CChar.self), Int32(part.count), Int32($0.count))
        }
      }
      for number in [UInt32(part.count), UInt32(size)] {
        framed += withUnsafeBytes(of: number.bigEndian) { Array($0) }
      }
      framed += packed.prefix(Int(size))
    }
    var plain = [UInt8](repeating: 0, count: text.count)
    try framed.withUnsafeBytes { framed in
      try plain.withUnsafeMutableBytes { try Codec.lz4.decompress(framed, into: $0) }
    }
    #expect(plain == text)
  }

  /// The example of the format's document of encodings: the numbers 0 to 7 in three bits, the highest first.
  @Test func readsLevelsOfTheOldEncoding() throws {
    let bytes: [UInt8] = [0b0000_0101, 0b0011_1001, 0b0111_0111]
    let numbers = try bytes.withUnsafeBytes { bytes in
      var decoder = try HybridDecoder(bytes, width: 3, isOld: true)
      return try (0..<8).map { _ in Int(try decoder.next()) }
    }
    #expect(numbers == Array(0..<8))
  }

  /// The same numbers as the hybrid encoding packs them: the lowest bits first.
  @Test func readsPackedGroupsAndRuns() throws {
    let bytes: [UInt8] = [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010, 10 << 1, 5]
    let numbers = try bytes.withUnsafeBytes { bytes in
      var decoder = try HybridDecoder(bytes, width: 3)
      let numbers = try (0..<18).map { _ in Int(try decoder.next()) }
      #expect(throws: ParquetError.self) { try decoder.next() }
      return numbers
    }
    #expect(numbers == Array(0..<8) + Array(repeating: 5, count: 10))
  }

  @Test(arguments: [
    (0, "1970-01-01"), (-1, "1969-12-31"), (19_782, "2024-02-29"), (-719_528, "0000-01-01"),
    (-719_529, "-0001-12-31"), (2_932_896, "9999-12-31"), (2_932_897, "+10000-01-01"),
  ]) func writesDays(_ day: Int, _ text: String) {
    var out: [UInt8] = []
    Moment.append(day: day, to: &out)
    #expect(String(decoding: out, as: UTF8.self) == text)
  }

  @Test(
    arguments: [
      ([0x00], 2, "0.00"), ([0xff], 0, "-1"), ([0xff], 3, "-0.001"), ([0x80, 0], 1, "-3276.8"), ([], 0, "0"),
      ([0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0, "4722366482869645213696"),
    ] as [([UInt8], Int, String)]) func writesDecimals(_ bytes: [UInt8], _ scale: Int, _ text: String) throws
  {
    var out: [UInt8] = []
    try bytes.withUnsafeBytes { try Decimals.append($0, scale: scale, to: &out) }
    #expect(String(decoding: out, as: UTF8.self) == text)
  }
}
