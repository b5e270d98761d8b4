import CICU
import Foundation
import Support
import TestSupport
import Testing

@testable import Tokenization

@Suite(.timeLimit(.minutes(60))) struct SplitProgramTests {
  /// Chains as tokenizer files have them, and every component and behavior.
  static let chains: [[PreTokenizationStep]] = {
    func isolated(_ pattern: String) -> PreTokenizationStep {
      .split(.regex(pattern), .isolated, invert: false)
    }
    let byteLevel = PreTokenizationStep.byteLevel(addPrefixSpace: false, usesRegex: false)
    let gpt2 = PreTokenizationStep.byteLevel(addPrefixSpace: false, usesRegex: true)
    var chains: [[PreTokenizationStep]] = [
      [isolated(PreTokenizer.llama3.pattern!), byteLevel],
      [isolated(PreTokenizer.cl100k.pattern!), byteLevel],
      [isolated(PreTokenizer.o200k.pattern!), byteLevel], [isolated(PreTokenizer.gpt2Pattern), byteLevel],
      [gpt2],
      [.digits(individual: true), gpt2], [.digits(individual: false), gpt2], [.digits(individual: true)],
      [.punctuation(.contiguous), .digits(individual: true), gpt2], [.whitespace], [.whitespaceSplit],
      [.whitespaceSplit, .punctuation(.isolated)], [.whitespace, .digits(individual: true)],
      [isolated("^a"), isolated("a$"), isolated(".b"), isolated("\\h{2}"), isolated("\\w+")],
      [isolated("\\p{N}{1,3}+")], [isolated("\\d++x?"), isolated("[^\\W\\d_]+")],
      [isolated("(?i:s|T)|[[:punct:]]"), isolated("[\\w&&[^a-c]]{2}")],
      [isolated("(?<=a)b|(?<![ab])s|\\bx\\b")],
      [isolated("[^\\S\\n]+|(?m:!.)"), isolated("\\p{Han}+|\\P{^L}{,3}")], [isolated("a*")],
      [isolated("[ -/\\-]"), isolated("\\bb|s\\B")],
    ]
    // Falcon's; what follows ByteLevel sees letters for bytes, some of them numbers.
    chains.append([
      .punctuation(.contiguous), gpt2, .digits(individual: false),
      .split(.regex("[0-9][0-9][0-9]"), .isolated, invert: false),
    ])
    for behavior in SplitBehavior.allCases {
      for invert in [false, true] {
        for pattern in [SplitPattern.regex("\\s+|a"), .literal("."), .literal(" "), .regex("[0-9]{2}")] {
          chains.append([.split(pattern, behavior, invert: invert)])
          chains.append([
            .split(pattern, behavior, invert: invert), .split(.regex("b| |\\n"), behavior, invert: invert),
          ])
        }
      }
      chains.append([.punctuation(behavior)])
    }
    return chains
  }()

  @Test(.peers) func piecesEqualThoseOfTokenizers() throws {
    let programs = try Self.chains.map { PreTokenizer.program(try SplitProgram($0)) }
    // The peer takes time in the square of the number of pieces.
    let texts =
      SplitTexts.awkward.filter { $0.utf8.count <= 1000 }
      + ["a", "ab", "aab"].map { String(repeating: $0, count: 200) }
      + SplitTexts.random(600, seed: 5)
    try compare(programs, Array(repeating: texts, count: programs.count))
  }

  private func compare(_ programs: [PreTokenizer], _ texts: [[String]]) throws {
    let theirs = try SplitPeers.pieces(programs, texts[0])
    for (program, (texts, theirs)) in zip(programs, zip(texts, theirs)) {
      #expect(theirs.count == texts.count)
      for (text, pieces) in zip(texts, theirs) {
        let ours = program.split(Array(text.utf8)).map { Hashing.hexadecimal($0) }
        guard ours != pieces else { continue }
        let differing = Set(ours).symmetricDifference(pieces)
        Issue.record("\(program.steps) on \(text.prefix(200).debugDescription): \(differing.prefix(12))")
        break
      }
    }
  }

  /// Every character; ICU's Unicode can be older than that of the peer.
  @Test(.peers) func setsOfCharactersEqualThoseOfTokenizers() throws {
    func programs(_ patterns: [String]) throws -> [PreTokenizer] {
      try patterns.map { .program(try SplitProgram([.split(.regex($0), .isolated, invert: false)])) }
    }
    func texts(_ isIncluded: (UInt32) -> Bool) -> [String] {
      // Planes 4 to 13 are not assigned, and the last two are for private use.
      (Array(stride(from: UInt32(0), to: 0x34000, by: 0x400)) + [0xe0000, 0xf0000]).map { first in
        var text = String.UnicodeScalarView()
        for scalar in (first..<first + 0x400).filter(isIncluded).compactMap(Unicode.Scalar.init) {
          text.append(scalar)
        }
        return String(text)
      }
    }
    let exact = try programs([
      "\\p{L}", "\\p{N}", "\\p{M}", "\\p{P}", "\\p{S}", "\\p{Lu}", "\\p{Ll}", "\\p{Nd}", "\\p{Han}", "\\s",
      "\\d",
      "[[:punct:]]",
    ])
    try compare(exact, Array(repeating: texts { _ in true }, count: exact.count))
    let others =
      try programs([
        "\\w", "[\\w]", "[[:alnum:]&&[^\\p{M}]]", "\\p{Cyrillic}", "[[:upper:][:lower:]]", "\\p{Lt}",
      ])
      + [[.digits(individual: true)], [.punctuation(.isolated)], [.whitespace]].map {
        .program(try SplitProgram($0))
      }
    try compare(others, Array(repeating: texts(pkm_unicode_is_assigned), count: others.count))
  }

  @Test(arguments: PreTokenizer.allCases.filter { $0 != .words && $0 != .none })
  func kernelsEqualICU(preTokenizer: PreTokenizer) throws {
    let program = PreTokenizer.program(try SplitProgram(preTokenizer.steps))
    #expect(try PreTokenizer(steps: preTokenizer.steps) == preTokenizer)
    var texts = (SplitTexts.awkward + SplitTexts.random(3000, seed: 7)).map { Array($0.utf8) }
    texts += [RealText.prose, RealText.multilingual].map { Array($0.utf8) }
    var random = RandomGenerator(seed: 8)
    for (number, text) in texts.enumerated() {
      // Blocks of 64 bytes begin anywhere.
      let padding = [UInt8](repeating: UInt8(ascii: "x"), count: number % 4 == 0 ? random.below(64) : 0)
      let bytes = padding + text
      let (ours, expected) = (preTokenizer.split(bytes), program.split(bytes))
      guard ours != expected else { continue }
      let differing = zip(ours, expected).first { $0 != $1 }.map { [$0, $1] } ?? []
      Issue.record(
        "\(String(decoding: bytes.prefix(400), as: UTF8.self).debugDescription): \(differing.map { String(decoding: $0, as: UTF8.self) })"
      )
      break
    }
  }

  @Test func otherWritingsOfKnownChainsAreRecognized() throws {
    let plain = PreTokenizationStep.byteLevel(addPrefixSpace: false, usesRegex: false)
    let llama3 = PreTokenizer.llama3.pattern!
    let chains: [([PreTokenizationStep], PreTokenizer)] = [
      ([.split(.regex(llama3), .removed, invert: true), plain], .llama3),
      ([.split(.regex(PreTokenizer.gpt2Pattern), .isolated, invert: false), plain], .gpt2),
      ([.byteLevel(addPrefixSpace: true, usesRegex: true)], .gpt2), ([plain], .none), ([], .none),
      ([.digits(individual: true), .byteLevel(addPrefixSpace: false, usesRegex: true)], .digits),
      (
        DeepSeekClasses.patterns.map {
          // Line breaks stand in the file as they are.
          let pattern = $0.replacing("\\r", with: "\r").replacing("\\n", with: "\n")
          return .split(.regex(pattern), .isolated, invert: false)
        } + [plain], .deepseek
      ),
    ]
    for (steps, expected) in chains { #expect(try PreTokenizer(steps: steps) == expected) }
    // What this pattern does not match is lost.
    let lossy: [PreTokenizationStep] = [.split(.regex("a"), .removed, invert: true), plain]
    #expect(try PreTokenizer(steps: lossy).split(Array("xaya".utf8)) == [[0x61], [0x61]])
    #expect(try PreTokenizer(steps: lossy).warning != nil && PreTokenizer.llama3.warning == nil)
  }

  @Test func illFormedBytesAreKept() throws {
    let program = PreTokenizer.program(try SplitProgram([.digits(individual: true)]))
    var random = RandomGenerator(seed: 6)
    for _ in 0..<3000 {
      let bytes = (0..<random.below(16)).map { _ in
        random.below(2) == 0 ? UInt8(0x30 + random.below(10)) : UInt8(truncatingIfNeeded: random.next())
      }
      #expect(program.split(bytes).flatMap { $0 } == bytes)
    }
    #expect(program.split([0x80, 0x31, 0xe3, 0x81, 0x32]) == [[0x80], [0x31], [0xe3, 0x81], [0x32]])
  }

  @Test func patternsThatICURefusesAreNamed() {
    for pattern in ["(", "a(?<=b*)c", "[z-a]"] {
      #expect {
        try PreTokenizer(steps: [.split(.regex(pattern), .isolated, invert: false)])
      } throws: { "\($0)".contains(pattern) }
    }
  }
}

/// Runs Tests/Peers/split_peers.py.
enum SplitPeers {
  /// The pieces of each text by each pre-tokenizer.
  static func pieces(_ preTokenizers: [PreTokenizer], _ texts: [String]) throws -> [[[String]]] {
    let tokenizer = try Make.tokenizer(["ab ab"], preTokenizer: .gpt2, merges: 1)
    let scratch = try Scratch()
    let files = try preTokenizers.enumerated().map { number, preTokenizer in
      let given = Tokenizer(
        mode: .byteLevel, preTokenizer: preTokenizer, vocabulary: tokenizer.vocabulary,
        merges: tokenizer.merges, addedTokens: [], unknown: nil)
      return try scratch.write("tokenizer\(number).json", TokenizerJSON.write(given))
    }
    let lines = try lines(["pieces"] + files, texts).map {
      try JSONDecoder().decode([String].self, from: Data($0))
    }
    return files.indices.map { Array(lines[($0 * texts.count)..<(($0 + 1) * texts.count)]) }
  }

  static func lines(_ arguments: [String], _ texts: [String]) throws -> [[UInt8]] {
    var lines = try Peers.run("split_peers.py", arguments, texts: texts).split(
      separator: 0x0a, omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines.map(Array.init)
  }
}
