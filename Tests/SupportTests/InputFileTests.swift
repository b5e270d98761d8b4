import CZstd
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct InputFileTests {
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

  /// The beginning of a download is nothing, too.
  @Test(arguments: [("a.gz", true), ("a.jsonl.zst", true), ("a.txt", false)])
  func anEmptyFileIsDamageWhereItsNameStatesACompression(name: String, isDamaged: Bool) throws {
    let found = try read(scratch.write(name, [UInt8]()))
    #expect(found.bytes.isEmpty && (found.damage?.reason.contains("empty") == true) == isDamaged)
    let file = try InputFile(scratch.path(name))
    var byte: UInt8 = 0
    #expect(try withUnsafeMutableBytes(of: &byte) { try file.read(into: $0) } == 0)
    #expect(try !file.resume())
  }

  @Test(arguments: ["a.gz", "a.zst"])
  func corruptionIsDamage(name: String) throws {
    var bytes = try scratch.compressed(text, as: name)
    for index in bytes.count / 2..<bytes.count / 2 + 40 { bytes[index] ^= 0x5a }
    let found = try read(scratch.write("corrupt", bytes))
    let damage = try #require(found.damage)
    #expect(damage.file == scratch.path("corrupt") && damage.offset > 0 && damage.offset <= bytes.count)
  }

  /// In gzip and in zstd, in small frames that are decompressed at once and in large ones.
  @Test(arguments: ["gz", "zst"], [0, 5000, 400_000])
  func aWrongChecksumLosesNothing(suffix: String, count: Int) throws {
    let content = Array(text.prefix(count))
    var bytes = try checksummed(content, suffix)
    // The last four bytes of a gzip member are its length, the four before it the checksum.
    bytes[bytes.count - (suffix == "gz" ? 8 : 4)] ^= 1
    let after = try checksummed(Array("after".utf8), suffix)
    for pieces in [700, 1 << 20] {
      let file = try InputFile(scratch.write("all", bytes + after))
      var found: [UInt8] = []
      var piece = [UInt8](repeating: 0, count: pieces)
      var damages = 0
      while true {
        let count = try piece.withUnsafeMutableBytes { try file.readSome(into: $0) }
        found += piece[..<count]
        if count > 0 { continue }
        guard let damage = file.damage else { break }
        damages += 1
        #expect(damage.reason.contains("wrong checksum") && damage.offset == bytes.count)
        if try !file.resume() { break }
      }
      #expect(found == content + Array("after".utf8) && damages == 1, "\(found.count) bytes")
    }
  }

  /// One member or frame with a checksum; our own zstd output has none.
  private func checksummed(_ content: [UInt8], _ suffix: String) throws -> [UInt8] {
    if suffix == "gz" { return Gzip.compress(content) }
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    return [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(content.count)) { buffer, count in
      count = content.withUnsafeBytes {
        ZSTD_compress2(context, buffer.baseAddress, buffer.count, $0.baseAddress, $0.count)
      }
    }
  }

  @Test(arguments: [0, 1, 2, 3]) func zstdDeliversAllBlocksBeforeTheDamagedOne(block: Int) throws {
    var bytes = try checksummed(text, "zst")
    // The size of the content takes four bytes, the window one or none (RFC 8878, section 3.1.1).
    try #require(bytes[4] >> 6 == 2)
    var at = 9 + (bytes[4] & 0x20 == 0 ? 1 : 0)
    for _ in 0..<block {
      at += 3 + (Int(bytes[at]) | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2]) << 16) >> 3
    }
    // The reserved type of blocks.
    bytes[at] |= 6
    for pieces in [1000, 1 << 20] {
      let found = try read(scratch.write("corrupt", bytes), pieces: pieces)
      #expect(found.bytes == Array(text.prefix(block << 17)) && found.damage?.kind == .zstdFrame)
    }
  }

  /// Without a checksum a cut frame takes the beginning of the next one for its own end.
  @Test func findsTheFrameThatACutOneRanInto() throws {
    // A block of 20 bytes as they are, of which 10 are missing.
    let cut = [0x28, 0xb5, 0x2f, 0xfd, 0, 0, 20 << 3 | 1, 0, 0] + Array("ten bytes.".utf8)
    let next = Array("the second frame, all of it\n".utf8)
    let file = try InputFile(scratch.write("all", cut + checksummed(next, "zst")))
    var found: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 100)
    while true {
      let count = try piece.withUnsafeMutableBytes { try file.readSome(into: $0) }
      found += piece[..<count]
      if try count == 0 && (file.damage == nil || !file.resume()) { break }
    }
    #expect(found.starts(with: Array("ten bytes.".utf8)) && found.suffix(next.count) == next[...])
  }

  /// Up to 4000 members of which every second is damaged.
  @Test(arguments: ["gz", "zst"]) func damagedPartsInARowAreAllCounted(suffix: String) throws {
    let member = try checksummed(Array("a line of text, and another\n".utf8), suffix)
    var damaged = member
    damaged[member.count - (suffix == "gz" ? 8 : 4)] ^= 1
    for pairs in [20, 200, 2000] {
      let file = try InputFile(scratch.write("all", Array((0..<pairs).flatMap { _ in damaged + member })))
      var (damages, total) = (0, 0)
      var piece = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = try piece.withUnsafeMutableBytes { try file.readSome(into: $0) }
        total += count
        if count > 0 { continue }
        guard file.damage != nil else { break }
        damages += 1
        if try !file.resume() { break }
      }
      #expect(damages == pairs && total == pairs * 2 * 28)
    }
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
