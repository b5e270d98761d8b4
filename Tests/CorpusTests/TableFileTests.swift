import Foundation
import Support
import TestSupport
import Testing

@testable import Corpus

/// Documents that are written as Parquet files.
@Suite(.timeLimit(.minutes(60))) struct TableFileTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func write(_ lines: [String], groupSize: Int) throws -> [JSONValue] {
    let path = scratch.path("x.parquet")
    let file = try TableFile(path, threads: 2, groupSize: groupSize)
    for line in lines { try file.write(Array((line + "\n").utf8)) }
    #expect(!Path.exists(path))
    try file.finish()
    #expect(scratch.names == ["x.parquet"])
    let reader = try DocumentReader(inputs: [path])
    var (bytes, counts) = ([UInt8](), Summary())
    while let batch = try reader.next() { bytes += DocumentRenderer().render(batch, counts: &counts) }
    return try bytes.split(separator: 0x0a).map { try JSONValue(parsing: Array($0)) }
  }

  /// Types that change on the way: from nothing to a number to all kinds, and fields that come later.
  private static let lines = [
    #"{"text":"1","a":null}"#, #"{"text":"2","a":1}"#, #"{"text":"3","a":2,"b":["x"]}"#,
    #"{"text":"4","a":2.5}"#,
    #"{"text":"5","a":"s","b":null}"#, #"{"text":"6","a":{"k":1}}"#, #"{"text":"7","c":{"d":true}}"#,
    #"{"text":"8","a":NaN}"#,
  ]

  @Test(arguments: [1, 40, 100, 1 << 20]) func typesMayChange(_ groupSize: Int) throws {
    let rows = try write(Self.lines, groupSize: groupSize)
    #expect(rows.map { $0["text"]?.string } == (1...8).map { "\($0)" })
    #expect(rows[1]["a"]?.number == 1 && rows[3]["a"]?.number == 2.5)
    #expect(rows[4]["a"]?.string == "s" && rows[5]["a"]?["k"]?.number == 1)
    #expect(rows[7]["a"]?.string == "NaN")
    #expect(rows[2]["b"]?.array?.first?.string == "x" && rows[0]["b"] == .null)
    #expect(rows[6]["c"]?["d"]?.bool == true && rows[0]["c"] == .null)
  }

  @Test func whatIsNotFinishedLeavesNothing() throws {
    do {
      let file = try TableFile(scratch.path("x.parquet"), threads: 1, groupSize: 1)
      for line in Self.lines { try file.write(Array((line + "\n").utf8)) }
    }
    #expect(scratch.names.isEmpty)
  }
}
