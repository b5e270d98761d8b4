import Foundation
import Support
import TestSupport
import Testing

@Suite struct InputFileTests {
  private let scratch: Scratch
  /// Compresses to several buffers of input.
  private let text: [UInt8]

  init() throws {
    scratch = try Scratch()
    var random = RandomGenerator(seed: 1)
    text = (0..<400_000).map { _ in UInt8(random.below(64) + 32) }
  }

  /// Everything the file yields, read in pieces of a given size.
  private func read(_ path: String, pieces: Int = 10_000) throws -> (bytes: [UInt8], damage: Damage?) {
    let file = try InputFile(path)
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: pieces)
    while true {
      let count = try piece.withUnsafeMutableBytes { try file.readSome(into: $0) }
      if count == 0 { return (bytes, file.damage) }
      bytes += piece[..<count]
    }
  }

  @Test(arguments: ["plain", "a.gz", "a.zst"], [1000, 1 << 20])
  func roundTrip(name: String, pieces: Int) throws {
    _ = try scratch.compressed(text, as: name)
    let found = try read(scratch.path(name), pieces: pieces)
    #expect(found.bytes == text && found.damage == nil)
  }

  @Test(arguments: ["plain", "a.gz", "a.zst"])
  func emptyContent(name: String) throws {
    _ = try scratch.compressed([], as: name)
    let found = try read(scratch.path(name))
    #expect(found.bytes.isEmpty && found.damage == nil)
    #expect(try read(scratch.write("empty", [])).bytes.isEmpty)
  }

  @Test(arguments: ["gz", "zst"])
  func partsFollowOneAnother(suffix: String) throws {
    let parts = try ["first ", "", "second"].map {
      try scratch.compressed(Array($0.utf8), as: "part.\(suffix)")
    }
    let found = try read(scratch.write("all", Array(parts.joined())))
    #expect(found.bytes == Array("first second".utf8) && found.damage == nil)
  }

  @Test func zstdSkipsSkippableFrames() throws {
    let skippable: [UInt8] = [0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
    let frame = try scratch.compressed(Array("text".utf8), as: "a.zst")
    let found = try read(scratch.write("mixed", skippable + frame + skippable))
    #expect(found.bytes == Array("text".utf8) && found.damage == nil)
  }

  @Test(arguments: ["a.gz", "a.zst"])
  func truncationIsDamage(name: String) throws {
    let whole = try scratch.compressed(text, as: name)
    for length in [12, whole.count / 2, whole.count - 3] {
      let found = try read(scratch.write("cut", Array(whole.prefix(length))))
      #expect(found.damage?.reason.contains("truncated") == true, "\(length) of \(whole.count)")
      #expect(text.starts(with: found.bytes))
      if length > whole.count / 3 { #expect(found.bytes.count > text.count / 4) }
    }
  }

  @Test(arguments: ["a.gz", "a.zst"])
  func corruptionIsDamage(name: String) throws {
    var bytes = try scratch.compressed(text, as: name)
    for index in bytes.count / 2..<bytes.count / 2 + 40 { bytes[index] ^= 0x5a }
    let found = try read(scratch.write("corrupt", bytes))
    let damage = try #require(found.damage)
    #expect(damage.file == scratch.path("corrupt") && damage.offset > 0 && damage.offset <= bytes.count)
  }

  @Test(arguments: ["a.gz", "a.zst"])
  func foreignBytesAfterTheEndAreDamage(name: String) throws {
    let whole = try scratch.compressed(Array("text".utf8), as: name)
    let found = try read(scratch.write("trailing", whole + Array("garbage".utf8)))
    #expect(found.bytes == Array("text".utf8) && found.damage != nil)
  }

  /// The parts after a break are read, whether it is a cut, other bytes within, or other bytes between.
  @Test(arguments: ["gz", "zst"], [0, 1, 2, 3]) func readingGoesOnBehindABreak(suffix: String, kind: Int)
    throws
  {
    let parts = try (0..<4).map { _ in try scratch.compressed(text, as: "part.\(suffix)") }
    var broken = parts
    switch kind {
    case 0: for index in 5000..<5050 { broken[1][index] ^= 0x33 }
    case 1: broken[1].removeLast(7000)
    case 2:
      broken[1].insert(
        contentsOf: Array("garbage ".utf8) + [0x1f, 0x8b, 8, 0, 0x28, 0xb5, 0x2f, 0xfd], at: 0)
    default: broken[2].replaceSubrange(0..<2, with: [0, 0x7f])
    }
    let file = try InputFile(scratch.write("all", Array(broken.joined())))
    var damages: [Damage] = []
    var total = 0
    var piece = [UInt8](repeating: 0, count: 30_000)
    while true {
      let count = try piece.withUnsafeMutableBytes { try file.readSome(into: $0) }
      total += count
      if count > 0 { continue }
      guard let damage = file.damage else { break }
      damages.append(damage)
      if try !file.resume() { break }
    }
    #expect(damages.count == 1 && damages[0].offset >= parts[0].count)
    let lost = kind == 2 ? 0 : 1
    #expect(total >= (4 - lost) * text.count && total <= 4 * text.count)
    #expect(damages[0].kind == (kind < 2 ? (suffix == "gz" ? .gzipMember : .zstdFrame) : .foreignBytes))
  }

  @Test func gzipMayBePaddedWithZeros() throws {
    let whole = try scratch.compressed(Array("text".utf8), as: "a.gz")
    let found = try read(scratch.write("padded", whole + [UInt8](repeating: 0, count: 5000)))
    #expect(found.bytes == Array("text".utf8) && found.damage == nil)
  }

  @Test func mutatedFilesNeverCrash() throws {
    var random = RandomGenerator(seed: 2)
    let originals = try ["a.gz", "a.zst"].map { try scratch.compressed(Array(text.prefix(2000)), as: $0) }
    for round in 0..<600 {
      var bytes = originals[round % 2]
      for _ in 0...random.below(3) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
      let found = try read(scratch.write("fuzz", Array(bytes.prefix(random.below(bytes.count + 1)))))
      #expect(found.bytes.count <= 1 << 22)
    }
  }

  @Test func whatCannotBeReadIsNamed() throws {
    for path in [scratch.path("nowhere"), scratch.url.path] {
      let failure = #expect(throws: Failure.self) { try InputFile(path) }
      #expect(failure?.kind == .inputOutput && failure?.file == path)
    }
  }
}
