import Foundation
import Support
import TestSupport
import Testing

/// One dimension of the input grown tenfold, twice: the time grows with it and no faster, and the memory stays bounded.
@Suite(.long, .serialized, .timeLimit(.minutes(60))) struct DedupGrowthTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let methods: [[String]] = [
    ["exact"], ["exact", "--key", "normalized"], ["paragraph"], ["minhash"], ["minhash", "--verify"],
    ["substring", "--min-length", "5"],
  ]

  /// Inputs of `count` units each.
  private static let shapes: [(name: String, make: @Sendable (Int) -> String)] = [
    ("different documents", { (0..<$0).map { "document \(spelled($0)) has words of its own\n" }.joined() }),
    ("one cluster", { String(repeating: "the very same words in every one of them\n", count: $0) }),
    (
      "clusters of two",
      {
        (0..<($0 / 2)).map { String(repeating: "words of \(spelled($0)) twice in here\n", count: 2) }.joined()
      }
    ),
    ("empty documents", { String(repeating: "\n", count: $0) + "a\n" }),
    ("one document of one span", { String(repeating: "again and again the span ", count: $0) + "\n" }),
    ("one document of different words", { (0..<$0).map { "\(spelled($0)) " }.joined() + "\n" }),
    ("one document of marks", { "か" + String(repeating: "\u{301}\u{316}", count: $0) + "\n" }),
  ]

  /// A number in letters, because the values of digits do not count.
  private static func spelled(_ number: Int) -> String {
    String(
      String(number, radix: 26).map { Character(Unicode.Scalar(UInt8(97 + Int(String($0), radix: 36)!))) })
  }

  @Test(arguments: shapes.indices, methods) func timeIsLinear(shape: Int, method: [String]) throws {
    let (name, make) = Self.shapes[shape]
    var seconds: [Double] = []
    for count in [1000, 10_000, 100_000] {
      try scratch.write("in.txt", make(count))
      let arguments = ["dedup", "--memory", "64M", "--threads", "1", "--quiet", "--summary", "s.json"]
      let result = try Tool.data.run(
        arguments + ["in.txt", "-o", "out.txt", "--method"] + method, in: scratch.url)
      #expect(result.status == 0, "\(name), \(method): \(result.errors)")
      let counts = try readSummary(scratch.path("s.json"))
      seconds.append(try #require(counts["seconds"] as? Double))
      #expect(try #require(counts["peak_bytes"] as? Int) < 1 << 30, "\(name), \(method), \(count)")
    }
    // Quadratic growth would be a hundredfold.
    #expect(seconds[2] < 30 * max(seconds[1], 0.05), "\(name), \(method): \(seconds)")
  }
}
