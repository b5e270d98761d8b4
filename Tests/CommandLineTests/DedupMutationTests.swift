import Foundation
import Support
import TestSupport
import Testing

/// Seeded changes of the structure of every file that `dedup` leaves for a later command.
///
/// Whatever the file holds then, the command ends by itself, within ten seconds and 1.5 GB of address space. It
/// comes to the right result or refuses; only where checksums were made right again can it come to another one.
///
/// `PKM_MUTANTS` is the number of changed states: 200,000 take hours.
@Suite(.long, .timeLimit(.minutes(60))) struct DedupMutationTests {
  private static let mutants =
    ProcessInfo.processInfo.environment["PKM_MUTANTS"].flatMap { Int($0) } ?? 220

  private static let hostile = [
    "0", "1", "-1", "2", "255", "65536", "2147483647", "2147483648", "4294967295", "4294967296",
    "1099511627776", "4611686018427387904", "9223372036854775807", "-9223372036854775808", "1e300", "1e-300",
    "0.5", "18446744073709551615", "18446744073709551616", "null", "[]", "{}", "\"1\"", "true",
  ]

  /// Changes one file, and returns whether its checksums were made right again.
  private static func mutate(_ directory: String, _ others: String, _ random: inout RandomGenerator) throws
    -> Bool
  {
    let files = try FileManager.default.subpathsOfDirectory(atPath: directory).sorted().filter {
      Path.isRegularFile("\(directory)/\($0)") && !$0.hasSuffix("lock")
    }
    let path = "\(directory)/\(files[random.below(files.count)])"
    var bytes = try MappedFile.read(path)
    func any() -> UInt64 {
      let number = hostile[random.below(hostile.count)]
      return UInt64(number) ?? Int64(number).map { UInt64(bitPattern: $0) } ?? random.next()
    }
    var isForged = false
    let kind = random.below(10)
    switch kind {
    case 0 where !bytes.isEmpty:
      for _ in 0...random.below(4) { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
    case 1 where !bytes.isEmpty: bytes.removeLast(1 + random.below(bytes.count))
    case 2: bytes += (0...random.below(100)).map { _ in UInt8(random.below(256)) }
    case 3:
      let other = try MappedFile.read("\(directory)/\(files[random.below(files.count)])")
      bytes = other
    case 4:
      let other = others + path.dropFirst(directory.count)
      if Path.isRegularFile(other) { bytes = try MappedFile.read(other) }
    case 5:
      unlink(path)
      return false
    default:
      if Forgery.isRun(bytes) {
        isForged = true
        let trailer = bytes.count - 64
        let note = Int(Forgery.word(bytes, at: trailer + 40))
        let table = trailer - note - 4096
        switch random.below(4) {
        case 0: Forgery.set(any(), at: trailer + 8 * (1 + random.below(6)), of: &bytes)
        case 1: Forgery.set(any(), at: table + 16 * random.below(256), of: &bytes)
        case 2 where table >= 8: Forgery.set(any(), at: 8 * random.below(table / 8), of: &bytes)
        default:
          if note > 0 {
            var text = String(decoding: bytes[(trailer - note)..<trailer], as: UTF8.self)
            replaceNumber(&text, &random)
            let new = Array(text.utf8)
            bytes.replaceSubrange((trailer - note)..<trailer, with: new)
            Forgery.set(UInt64(new.count), at: bytes.count - 64 + 40, of: &bytes)
            Forgery.seal(run: &bytes, records: 0, note: new.count)
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            return true
          }
        }
        Forgery.seal(run: &bytes, records: 0, note: note)
      } else if bytes.first == UInt8(ascii: "{") {
        var text = String(decoding: bytes, as: UTF8.self)
        replaceNumber(&text, &random)
        if kind > 7 {
          text = Forgery.seal(text)
          isForged = true
        }
        bytes = Array(text.utf8)
      } else if path.contains("/documents-"), bytes.count > 16 {
        isForged = true
        Forgery.set(any(), at: random.below(bytes.count - 16), of: &bytes)
        let hash = bytes.withUnsafeBytes {
          Hashing.xxh64(UnsafeRawBufferPointer(rebasing: $0[..<(bytes.count - 8)]))
        }
        Forgery.set(hash, at: bytes.count - 8, of: &bytes)
      } else if bytes.count >= 24, path.hasSuffix("/cuts") || path.hasSuffix("/places") {
        isForged = true
        Forgery.set(any(), at: 8 * random.below(bytes.count / 8), of: &bytes)
        let manifest = (path as NSString).deletingLastPathComponent + "/cuts.json"
        if var text = try? String(contentsOfFile: manifest, encoding: .utf8) {
          let key = path.hasSuffix("/cuts") ? "cutsChecksum" : "placesChecksum"
          if let range = text.range(of: "\"\(key)\" : [0-9]+", options: .regularExpression) {
            text.replaceSubrange(range, with: "\"\(key)\" : \(bytes.withUnsafeBytes { Hashing.xxh64($0) })")
          }
          try Forgery.seal(text).write(toFile: manifest, atomically: true, encoding: .utf8)
        }
      } else if bytes.count >= 8 {
        Forgery.set(any(), at: random.below(bytes.count - 7), of: &bytes)
      }
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return isForged
  }

  /// Replaces one number of the text by another, or by something that is none.
  private static func replaceNumber(_ text: inout String, _ random: inout RandomGenerator) {
    guard let pattern = try? NSRegularExpression(pattern: "-?[0-9]+") else { return }
    let matches = pattern.matches(in: text, range: NSRange(text.startIndex..., in: text))
    guard !matches.isEmpty, let range = Range(matches[random.below(matches.count)].range, in: text) else {
      return
    }
    text.replaceSubrange(range, with: hostile[random.below(hostile.count)])
  }

  @Test func damagedStatesAreRefusedOrMadeAgainOrHaveNoEffect() throws {
    let scratch = try Scratch()
    let states = try DedupState.all(in: scratch, seed: 1)
    let others = try DedupState.all(in: scratch, seed: 2)
    var (statuses, madeAgain) = ([Int32: Int](), 0)
    for index in 0..<Self.mutants {
      let (state, other) = (states[index % states.count], others[index % states.count])
      var random = RandomGenerator(seed: UInt64(index))
      var isForged = false
      let result = try state.run { isForged = try Self.mutate($0, other.directory, &random) }
      statuses[result.status, default: 0] += 1
      if result.status == 0 && result.errors.contains("made again") { madeAgain += 1 }
      // Signals, the time limit, and what a refused allocation ends in are above these.
      #expect(
        [0, 1, 64, 65, 66, 73, 74].contains(result.status), "mutant \(index) of \(state): \(result.errors)")
      if result.status == 0 && !isForged {
        let isRight = result.output == state.expected
        #expect(isRight, "mutant \(index) of \(state) gives another result")
      }
    }
    #expect(statuses[65, default: 0] + madeAgain > Self.mutants / 4, "\(statuses), \(madeAgain)")
    #expect(statuses[65, default: 0] > 0 && madeAgain > 0, "\(statuses), \(madeAgain)")
  }
}
