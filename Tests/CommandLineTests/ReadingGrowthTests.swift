import Foundation
import Support
import TestSupport
import Testing

/// One dimension of what is read grown tenfold, twice: the time grows with it and no faster, and the memory stays
/// bounded.
@Suite(.long, .serialized, .timeLimit(.minutes(60))) struct ReadingGrowthTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Makes an input of `count` parts; the arguments that read it.
  private static let shapes:
    [(name: String, counts: [Int], make: @Sendable (Scratch, Int) throws -> [String])] = [
      (
        "lines", [1000, 10_000, 100_000],
        { scratch, count in
          try scratch.write("in.txt", String(repeating: "a line\n", count: count))
          return ["normalize", "in.txt"]
        }
      ),
      (
        "fields of a JSON object", [1000, 10_000, 100_000],
        { scratch, count in
          let fields = (0..<count).map { "\"f\($0)\":\($0)" }.joined(separator: ",")
          try scratch.write("in.jsonl", "{\(fields),\"text\":\"t\"}\n")
          return ["filter", "--min-chars", "1", "in.jsonl"]
        }
      ),
      (
        "objects on one line", [1000, 10_000, 100_000],
        { scratch, count in
          try scratch.write("in.jsonl", String(repeating: "{\"text\":\"t\"} ", count: count) + "\n")
          return ["normalize", "in.jsonl"]
        }
      ),
      (
        "depth of JSON", [1000, 10_000, 100_000],
        { scratch, count in
          let deep = String(repeating: "[", count: count) + String(repeating: "]", count: count)
          try scratch.write("in.jsonl", "{\"text\":\"t\"}\n{\"a\":\(deep),\"text\":\"u\"}\n")
          return ["normalize", "in.jsonl"]
        }
      ),
      (
        "members of gzip", [200, 2000, 20_000],
        { scratch, count in
          let member = try scratch.compressed(Array("a line\n".utf8), as: "one.gz")
          try scratch.write("in.txt.gz", Array([[UInt8]](repeating: member, count: count).joined()))
          return ["normalize", "in.txt.gz"]
        }
      ),
      (
        "frames of zstd", [200, 2000, 20_000],
        { scratch, count in
          let frame = try scratch.compressed(Array("a line\n".utf8), as: "one.zst")
          try scratch.write("in.txt.zst", Array([[UInt8]](repeating: frame, count: count).joined()))
          return ["normalize", "in.txt.zst"]
        }
      ),
      (
        "cut members of gzip", [20, 200, 2000],
        { scratch, count in
          let member = try scratch.compressed(Array("a line of some words\n".utf8), as: "one.gz").dropLast(9)
          try scratch.write(
            "in.txt.gz", Array([[UInt8]](repeating: Array(member), count: count).joined()))
          return ["normalize", "--allow-empty", "in.txt.gz"]
        }
      ),
      (
        "names in a directory", [30, 300, 3000],
        { scratch, count in
          try? FileManager.default.removeItem(atPath: scratch.path("d"))
          for number in 0..<count { try scratch.write("d/\(number).txt", "a line\n") }
          return ["normalize", "d"]
        }
      ),
      (
        "links to one file", [30, 300, 3000],
        { scratch, count in
          try? FileManager.default.removeItem(atPath: scratch.path("d"))
          try scratch.write("d/a.txt", "a line\n")
          for number in 0..<count {
            try FileManager.default.linkItem(
              atPath: scratch.path("d/a.txt"), toPath: scratch.path("d/l\(number)"))
          }
          return ["normalize", "d"]
        }
      ),
      (
        "one line of zeros", [100_000, 1_000_000, 10_000_000],
        { scratch, count in
          try scratch.write("in.txt", String(repeating: "0", count: count) + "\n")
          return ["learn-bpe", "--merges", "3", "--memory", "64M", "in.txt"]
        }
      ),
      (
        "one word", [100_000, 1_000_000, 10_000_000],
        { scratch, count in
          try scratch.write("in.txt", String(repeating: "a", count: count) + "\n")
          return ["count-words", "--memory", "64M", "in.txt"]
        }
      ),
    ]

  /// The time of the whole process: it begins with the parsing of its arguments.
  @Test func manyNamesOnACommandLineAndInARecipe() throws {
    let names = (0..<20_000).map { "f\($0)" }
    for name in names { try scratch.write(name, "\(name)\n") }
    var seconds: [Double] = []
    for count in [2000, 20_000] {
      let started = Progress.now()
      let result = try Tool.data.run(
        ["normalize", "--quiet", "--threads", "1"] + names.prefix(count), in: scratch.url)
      seconds.append(Progress.now() - started)
      #expect(result.status == 0 && result.text == names.prefix(count).map { $0 + "\n" }.joined())
    }
    #expect(seconds[1] < 30 * max(seconds[0], 0.2), "\(seconds)")
    try scratch.write(
      "r.yaml",
      "inputs: [\(names.joined(separator: ", "))]\noutput: out\nstages: [learn-bpe: {merges: 1}, encode]\n")
    let started = Progress.now()
    let result = try Tool.data("run", "--quiet", "--summary", "s.json", "r.yaml", in: scratch.url)
    #expect(result.status == 0, "\(result.errors.prefix(300))")
    #expect(try readSummary(scratch.path("s.json"))["documents_out"] as? Int == names.count)
    #expect(Progress.now() - started < 60)
    // Where parsing fails, the message names the argument itself.
    let wrong = try Tool.data.run(["verify"] + names.prefix(100), in: scratch.url)
    #expect(wrong.status == 64 && wrong.errors.contains("f1") && !wrong.errors.contains("\0"))
  }

  @Test(arguments: shapes.indices) func timeIsLinear(shape: Int) throws {
    let (name, sizes, make) = Self.shapes[shape]
    var seconds: [Double] = []
    for count in sizes {
      let arguments = try make(scratch, count)
      let output = arguments[0] == "learn-bpe" ? "out.json" : "out"
      let result = try Tool.data.run(
        [arguments[0], "--threads", "1", "--quiet", "--summary", "s.json", "-o", output]
          + arguments.dropFirst(), in: scratch.url)
      #expect(result.status == 0, "\(name), \(count): \(result.errors.prefix(500))")
      guard result.status == 0 else { return }
      let counts = try readSummary(scratch.path("s.json"))
      seconds.append(try #require(counts["seconds"] as? Double))
      #expect(try #require(counts["peak_bytes"] as? Int) < 600 << 20, "\(name), \(count)")
    }
    // Quadratic growth would be a hundredfold.
    #expect(seconds[2] < 30 * max(seconds[1], 0.05), "\(name): \(seconds)")
  }
}
