import Foundation
import Support
import TestSupport
import Testing

/// Every method on documents that break other tools.
///
/// The long document has `PKM_HOSTILE_MEGABYTES` (16; a gigabyte takes a minute or two), and there are as many thousand
/// copies of the repeated one.
@Suite(.timeLimit(.minutes(60))) struct DedupHostileTests {
  private let scratch: Scratch

  private static let megabytes =
    ProcessInfo.processInfo.environment["PKM_HOSTILE_MEGABYTES"].flatMap { Int($0) } ?? 16
  /// Words of letters alone: values of digits do not count for every method.
  private static let copy = (0..<60).map { "w\(String(repeating: "x", count: $0 % 7))\(letter($0))" }
    .joined(separator: " ")

  private static func letter(_ number: Int) -> Character {
    Character(Unicode.Scalar(UInt8(97 + number % 26)))
  }

  init() throws { scratch = try Scratch() }

  /// Random words without a repetition of many, in one line.
  private static func longDocument() -> Data {
    var random = RandomGenerator(seed: 6)
    var data = Data(capacity: megabytes << 20)
    while data.count < megabytes << 20 {
      var bits = random.next()
      var piece: [UInt8] = []
      for _ in 0..<12 {
        piece.append(UInt8(97 + bits % 26))
        bits /= 26
        if bits % 5 == 0 { piece.append(0x20) }
      }
      data.append(contentsOf: piece)
    }
    return data
  }

  @Test(.long, arguments: ["exact", "paragraph", "minhash", "substring", "none"])
  func nothingIsTooOdd(method: String) throws {
    let long = Self.longDocument()
    let token = Data(String(repeating: "spam ", count: 400_000).utf8)
    var input = Data("\n   \nword\n!!!\n".utf8)
    input.append(contentsOf: [0xff, 0xfe, 0x62, 0x61, 0x64, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x0a])
    for part in [token, long, Data("word".utf8), token] { input.append(part + [0x0a]) }
    let copies = Self.megabytes * 1000
    for _ in 0..<copies { input.append(contentsOf: (Self.copy + "\n").utf8) }
    try input.write(to: scratch.url.appendingPathComponent("in.txt"))
    try scratch.write("eval.txt", Self.copy + "\n")
    // None is the decontamination alone.
    let own = method == "none" ? ["--against", "eval.txt"] : ["--memory", "64M"]
    func run(_ threads: Int) throws -> Subprocess.Result {
      try Tool.data.run(
        [
          "dedup", "--method", method, "--threads", "\(threads)", "--summary", "s.json", "in.txt",
        ] + own, in: scratch.url)
    }
    let result = try run(2)
    #expect(result.status == 0, "\(result.errors)")
    let lines = result.output.split(separator: 0x0a)
    let counts = try readSummary(scratch.path("s.json"))
    #expect(counts["documents_in"] as? Int == copies + 9)
    // Decontamination alone drops what is contaminated and nothing else.
    #expect(counts["documents_empty"] as? Int == (method == "none" ? 0 : 2))
    func count(_ line: Data) -> Int { lines.count { $0.elementsEqual(line) } }
    let isKept = count(long) == 1
    #expect(isKept, "the long document is like no other")
    let copiesKept = count(Data(Self.copy.utf8))
    #expect(copiesKept == (method == "none" ? 0 : 1))
    let wordsKept = count(Data("word".utf8))
    // Spans have 50 words, and evaluation sets look for their words alone.
    #expect(wordsKept == (["substring", "none"].contains(method) ? 2 : 1))
    let spam = lines.filter { $0.starts(with: Data("spam spam".utf8)) }.map(\.count)
    #expect(
      spam == (method == "substring" ? [249] : method == "none" ? [2_000_000, 2_000_000] : [2_000_000]))
    let isSame = try run(1).output == result.output
    #expect(isSame)
  }
}
