import Foundation
import Support
import TestSupport
import Testing

@testable import Parquet

/// Writes JSON lines as a file, and reads them back.
@Suite(.timeLimit(.minutes(60))) struct RecordWriterTests {
  static func write(_ lines: [String], groupSize: Int = 1 << 20, threads: Int = 1) throws -> [UInt8] {
    var bytes: [UInt8] = []
    let writer = try RecordWriter(creator: "test", threads: threads, groupSize: groupSize) { bytes += $0 }
    let text = Array(lines.map { $0 + "\n" }.joined().utf8)
    guard case .going = try text.withUnsafeBytes({ try writer.add($0) }), case .going = try writer.finish()
    else {
      throw ParquetError("other types")
    }
    return bytes
  }

  /// Rows whose fields are all there come back as they were.
  static let rows = [
    #"{"text":"one","n":1,"x":0.5,"ok":true,"tags":["a","b"],"meta":{"a":1,"b":{"c":"d"}},"any":1}"#,
    #"{"text":"日本語 \"x\" \\ \n","n":-5,"x":1e+300,"ok":false,"tags":[],"meta":{"a":2,"b":{"c":null}},"any":"s"}"#,
    #"{"text":"","n":null,"x":null,"ok":null,"tags":null,"meta":null,"any":null}"#,
    #"{"text":null,"n":9007199254740992,"x":-0.0,"ok":true,"tags":[null,""],"meta":{"a":null,"b":null},"any":[1,{"k":[]}]}"#,
  ]

  @Test func rowsComeBack() throws {
    #expect(try Records.read(try Self.write(Self.rows)).lines == Self.rows)
  }

  @Test func nestedListsComeBack() throws {
    let rows = [
      #"{"a":[[1,2],[],null,[3]],"b":[{"c":[1],"d":[{"e":"x"},{"e":null}]},null,{"c":null,"d":[]}]}"#,
      #"{"a":[],"b":[]}"#, #"{"a":null,"b":null}"#, #"{"a":[null],"b":[{"c":[null,5],"d":null}]}"#,
    ]
    #expect(try Records.read(try Self.write(rows)).lines == rows)
  }

  /// What a column becomes that holds these values, and the values that come back.
  @Test(
    arguments: [
      (["1", "2.5"], ["1.0", "2.5"]), (["9007199254740993", "1"], ["9007199254740993", "1"]),
      (["9007199254740993", "0.5"], ["9007199254740993", "0.5"]), (["1", "\"1\""], ["1", "\"1\""]),
      (["123456789012345678901234567890"], ["123456789012345678901234567890"]),
      (["0.12345678901234567890"], ["0.12345678901234567890"]), (["{}"], ["{}"]),
      (["{}", "{\"a\":1}"], ["{\"a\":null}", "{\"a\":1}"]),
      (["[]", "null"], ["[]", "null"]), (["-0"], ["-0.0"]), (["NaN", "1.5"], ["\"NaN\"", "1.5"]),
      (["[1,\"a\"]"], ["[1,\"a\"]"]), (["true", "1"], ["true", "1"]),
      (["\"\\u00e9\\ud83d\\ude00\\ud800\""], ["\"é😀\u{fffd}\""]),
    ] as [([String], [String])]) func typesHoldEveryValue(_ values: [String], _ expected: [String]) throws
  {
    let found = try Records.read(try Self.write(values.map { "{\"v\":\($0)}" })).lines
    #expect(found == expected.map { "{\"v\":\($0)}" })
  }

  @Test func whatIsMissingIsNull() throws {
    let found = try Records.read(try Self.write(["{\"a\":1}", "{\"b\":\"x\"}", "{}"])).lines
    #expect(found == ["{\"a\":1,\"b\":null}", "{\"a\":null,\"b\":\"x\"}", "{\"a\":null,\"b\":null}"])
  }

  @Test func refusesWhatIsNoObject() {
    for line in ["[]", "{", "{\"a\":}", "{\"a\":1}}", "x", "{\"a\":1,}", "{\"a\":\"}", "{\"a\":tru}"] {
      #expect(throws: ParquetError.self, "\(line)") { try Self.write([line]) }
    }
  }

  /// Many row groups and pages, dictionaries and none; the same bytes with any number of threads.
  @Test func largerFilesComeBack() throws {
    var random = RandomGenerator(seed: 7)
    let rows = (0..<60_000).map { row in
      let text = (0..<random.below(20)).map { _ in String(random.below(1000)) }.joined(separator: " ")
      let list = (0..<random.below(4)).map { _ in random.below(9) == 0 ? "null" : "\"k\(random.below(30))\"" }
      return
        "{\"text\":\"\(text)\",\"word\":\"w\(random.below(50))\",\"row\":\(row),\"list\":[\(list.joined(separator: ","))]}"
    }
    let bytes = try Self.write(rows, groupSize: 2_000_000)
    #expect(bytes == (try Self.write(rows, groupSize: 2_000_000, threads: 4)))
    #expect(try Records.read(bytes).lines == rows)
    let file = try Records.file(bytes)
    #expect(file.metadata.rowGroups.count > 1)
    let encodings = file.metadata.rowGroups[0].columns.map {
      $0.encodings.contains(PageEncoding.rleDictionary.rawValue)
    }
    #expect(encodings == [false, true, false, true])
  }

  @Test(arguments: [0, 1, 2, 7, 8, 9, 300]) func levelsComeBack(_ count: Int) throws {
    var random = RandomGenerator(seed: UInt64(count))
    for width in [1, 2, 5, 17] {
      var numbers: [UInt32] = []
      while numbers.count < count {
        let value = UInt32(random.below(1 << width))
        numbers += Array(repeating: value, count: random.below(3) == 0 ? random.below(40) : 1)
      }
      var bytes: [UInt8] = []
      HybridEncoder.append(numbers[...], width: width, to: &bytes)
      try bytes.withUnsafeBytes { bytes in
        var decoder = try HybridDecoder(bytes, width: width)
        #expect(try numbers.map { _ in try decoder.next() } == numbers)
      }
    }
  }

  /// What pyarrow reads, checksums included, are the rows that were written.
  @Test(.peers) func pyarrowReadsWhatIsWritten() throws {
    let scratch = try Scratch()
    let path = try scratch.write("x.parquet", Self.write(Self.rows))
    let lines = String(decoding: try Peers.run("read_parquet.py", ["pyarrow", path]), as: UTF8.self).split(
      separator: "\n")
    #expect(lines.count == Self.rows.count)
    for (line, row) in zip(lines, Self.rows) {
      var (found, expected) = (
        try JSONValue(parsing: Array(line.utf8)), try JSONValue(parsing: Array(row.utf8))
      )
      // Values of several types are JSON, which pyarrow reads as text.
      if let text = found["any"]?.string {
        #expect(try JSONValue(parsing: Array(text.utf8)) == expected["any"])
      }
      found = found.without("any")
      expected = expected.without("any")
      #expect(found == expected)
    }
  }
}

extension JSONValue {
  fileprivate func without(_ key: String) -> JSONValue {
    guard case .object(let members) = self else { return self }
    return .object(members.filter { $0.key != Array(key.utf8) })
  }
}
