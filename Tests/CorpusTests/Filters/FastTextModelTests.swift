import Foundation
import Support
import TestSupport
import Testing

@testable import Corpus

/// A model file whose numbers do not fit the file is refused before the library believes them.
@Suite(.timeLimit(.minutes(60))) struct FastTextModelTests {
  private let model: [UInt8]

  init() throws { model = try MappedFile.read(fixtures.path("languages.ftz")) }

  private func load(_ bytes: [UInt8]) throws -> LanguageIdentifier {
    let scratch = try Scratch()
    return try LanguageIdentifier(reading: scratch.write("model.ftz", bytes))
  }

  @Test func aWholeModelIsLoaded() throws { #expect(try !load(model).languages.isEmpty) }

  @Test func everyCutIsRefused() throws {
    for share in 0..<40 {
      let failure = #expect(throws: Failure.self) { try load(Array(model[..<(model.count * share / 40)])) }
      #expect(failure?.kind == .usage)
    }
  }

  /// A model with any number of its head replaced is refused or works; it never crashes or takes all memory.
  @Test func noNumberIsBelieved() throws {
    var random = RandomGenerator(seed: 12)
    var refused = 0
    let text = Array("the quick brown fox".utf8)
    for round in 0..<300 {
      var bytes = model
      let at = round < 200 ? random.below(220) : random.below(bytes.count)
      let words: [[UInt8]] = [
        [0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [1, 2, 3, 4],
      ]
      for (offset, byte) in words[round % 4].enumerated() where at + offset < bytes.count {
        bytes[at + offset] = byte
      }
      do {
        let identifier = try load(bytes)
        _ = text.withUnsafeBytes { identifier.guesses($0, count: 2) }
      } catch let failure as Failure {
        #expect(failure.kind == .usage && failure.remedy != nil)
        refused += 1
      }
    }
    #expect(refused > 50)
  }
}
