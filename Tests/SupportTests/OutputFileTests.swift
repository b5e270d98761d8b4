import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct OutputFileTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test func appearsOnlyWhenFinished() throws {
    let file = try OutputFile(scratch.path("out.txt"))
    try file.write("text")
    try file.flush()
    #expect(!scratch.names.contains("out.txt"))
    try file.finish()
    #expect(scratch.names == ["out.txt"])
    #expect(try scratch.bytes("out.txt") == Array("text".utf8) && file.bytesWritten == 4)
  }

  @Test func aDroppedFileLeavesWhatWasThere() throws {
    try scratch.write("out.txt", Array("old".utf8))
    do {
      let file = try OutputFile(scratch.path("out.txt"))
      try file.write("new")
    }
    #expect(scratch.names == ["out.txt"])
    #expect(try scratch.bytes("out.txt") == Array("old".utf8))
  }

  @Test func whatAKilledProcessLeftIsRemovedAndNothingElse() async throws {
    let directory = scratch.url.path
    await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
      let file = try OutputFile(Path.join(directory, "out"))
      try file.write("left by a killed process")
      try file.flush()
      kill(getpid(), SIGKILL)
    }
    #expect(scratch.names.count == 1)
    // Names that look like ours: a file of the user, and a link that somebody has put in the way.
    try scratch.write("precious", "precious")
    try scratch.write(".out.tmp-file", "precious")
    let link = ".out.tmp-directory"
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path(link), withDestinationPath: scratch.path("precious"))
    let file = try OutputFile(scratch.path("out"))
    try file.write("new")
    try file.finish()
    #expect(scratch.names == [link, ".out.tmp-file", "out", "precious"])
    #expect(try scratch.text("out") == "new" && scratch.text("precious") == "precious")
    #expect(try scratch.text(".out.tmp-file") == "precious")
  }

  /// Somebody who can guess a name could put a link there; a name of one attempt cannot be guessed.
  @Test func aTemporaryNameIsThatOfOneAttempt() throws {
    let names = (0..<4).map { _ in TemporaryName.path(for: scratch.path("out"), .file) }
    #expect(
      Set(names).count == 4 && names.allSatisfy { TemporaryName.isTemporary(Path.name(of: $0), of: "out") })
    let long = String(repeating: "ж", count: 127)
    let file = try OutputFile(scratch.path(long))
    try file.finish()
    #expect(scratch.names == [long])
  }

  @Test func aReplacedFileKeepsItsModeAndANewOneHasThatOfTheUmask() throws {
    func mode(_ name: String) throws -> Int {
      let attributes = try FileManager.default.attributesOfItem(atPath: scratch.path(name))
      return try #require(attributes[.posixPermissions] as? Int)
    }
    for (name, wanted) in [("private", 0o600), ("shared", 0o664), ("run", 0o755)] {
      try scratch.write(name, "old")
      try FileManager.default.setAttributes([.posixPermissions: wanted], ofItemAtPath: scratch.path(name))
      let file = try OutputFile(scratch.path(name))
      let temporary = try #require(scratch.names.first { $0.hasPrefix(".") })
      #expect(try mode(temporary) == wanted)
      try file.finish()
      #expect(try mode(name) == wanted)
    }
    try OutputFile(scratch.path("new")).finish()
    #expect(try mode("new") == 0o666 & ~Int(SystemCall.umask))
    try OutputDirectory(scratch.path("directory")).finish()
    #expect(try mode("directory") == 0o777 & ~Int(SystemCall.umask))
    let own = try TemporaryDirectory(in: scratch.url.path)
    #expect(try mode(Path.name(of: own.path)) == 0o700)
  }

  @Test func aFileHasOneWriterAtATime() throws {
    let first = try OutputFile(scratch.path("out"))
    try first.write("first")
    let refusal = #expect(throws: Failure.self) { try OutputFile(scratch.path("out")) }
    #expect(refusal?.kind == .usage && refusal?.file == scratch.path("out") && refusal?.remedy != nil)
    try first.finish()
    #expect(try scratch.names == ["out"] && scratch.bytes("out") == Array("first".utf8))
    try OutputFile(scratch.path("out")).finish()
    #expect(try scratch.names == ["out"] && scratch.bytes("out").isEmpty)
  }

  /// A thread that waits for a pipe keeps what it holds until the process has ended.
  @Test func whatIsHeldWhenTheProcessEndsLeavesNothing() async throws {
    let directory = scratch.url.path
    await #expect(processExitsWith: .success) { [directory = directory as String] in
      let done = try OutputFile(Path.join(directory, "done"))
      try done.finish()
      let file = try OutputFile(Path.join(directory, "file"))
      let tree = try OutputDirectory(Path.join(directory, "tree"))
      try tree.write("part", [1, 2, 3])
      let names = try FileManager.default.contentsOfDirectory(atPath: directory)
      withExtendedLifetime((file, tree)) {
        HalfWritten.removeAll()
        exit(names.count == 3 ? 0 : 1)
      }
    }
    #expect(scratch.names == ["done"])
  }

  @Test func makesItsDirectory() throws {
    let file = try OutputFile(scratch.path("a/b/out"))
    try file.finish()
    #expect(try scratch.bytes("a/b/out").isEmpty)
  }

  @Test func piecesOfAnySizeAreOneFile() throws {
    var random = RandomGenerator(seed: 3)
    for name in ["plain", "a.gz", "a.zst"] {
      let file = try OutputFile(scratch.path(name), compressionThreads: 2)
      var expected: [UInt8] = []
      for size in [0, 1, 300_000, 7, 1 << 18, (1 << 18) - 1, 100] {
        let piece = (0..<size).map { _ in UInt8(random.below(256)) }
        expected += piece
        try file.write(piece)
      }
      try file.finish()
      let input = try InputFile(scratch.path(name))
      var found = [UInt8](repeating: 0, count: expected.count + 1)
      let count = try found.withUnsafeMutableBytes { try input.read(into: $0) }
      #expect(count == expected.count && found.dropLast() == expected[...])
    }
  }

  /// The limit of the size of a file stands for a full disk, which no test should make.
  @Test(arguments: ["out", "out.gz", "out.zst"]) func aFileThatGrowsTooLargeIsAnErrorAndLeavesNothing(
    name: String
  ) async throws {
    let path = scratch.path(name)
    await #expect(processExitsWith: .success) { [path = path as String] in
      Interruption.install()
      var limit = rlimit(rlim_cur: 100_000, rlim_max: 100_000)
      setrlimit(__rlimit_resource_t(1), &limit)  // RLIMIT_FSIZE
      do {
        let file = try OutputFile(path)
        var random = RandomGenerator(seed: 4)
        for _ in 0..<4 { try file.write((0..<300_000).map { _ in UInt8(random.below(256)) }) }
        try file.finish()
        exit(2)
      } catch let failure as Failure {
        let isSaid =
          failure.message.contains("File too large") && failure.remedy?.contains("ulimit -f") == true
        exit(failure.kind == .inputOutput && failure.file == path && isSaid ? 0 : 3)
      }
    }
    #expect(scratch.names.isEmpty)
  }

  /// Replacing them by a file with our bytes would take the device from everybody.
  @Test func devicesAreWrittenToAndLinksFollowed() throws {
    func link(_ name: String, to target: String) throws {
      try FileManager.default.createSymbolicLink(atPath: scratch.path(name), withDestinationPath: target)
    }
    try link("null", to: "/dev/null")
    try link("full", to: "/dev/full")
    try scratch.write("file", Array("old".utf8))
    try link("link", to: scratch.path("file"))
    try link("broken", to: "other/../to-be")
    try link("to-be", to: scratch.path("made"))
    try FileManager.default.createDirectory(atPath: scratch.path("other"), withIntermediateDirectories: true)

    for name in ["null", "link", "broken"] {
      let file = try OutputFile(scratch.path(name))
      try file.write("new")
      try file.finish()
    }
    let failure = #expect(throws: Failure.self) {
      let file = try OutputFile(scratch.path("full"))
      try file.write("new")
      try file.finish()
    }
    #expect(failure?.kind == .inputOutput)
    #expect(try scratch.bytes("made") == Array("new".utf8))
    for name in ["null", "full", "link", "broken", "to-be"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: scratch.path(name))
      #expect(attributes[.type] as? FileAttributeType == .typeSymbolicLink)
    }
    for device in ["/dev/null", "/dev/full"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: device)
      #expect(attributes[.type] as? FileAttributeType == .typeCharacterSpecial)
    }
    #expect(try scratch.bytes("file") == Array("new".utf8))
  }

  @Test func aPlaceThatCannotBeWrittenIsNamed() throws {
    // Below a file, and in a file system without files of ours: permission bits do not stop the superuser.
    try scratch.write("file", [])
    for path in [scratch.path("file/out"), "/proc/pkm-no-such/out", scratch.url.path] {
      let failure = #expect(throws: Failure.self) { try OutputFile(path) }
      #expect(failure?.kind == .inputOutput && failure?.file?.isEmpty == false)
    }
  }

  /// So that damage is noticed: bit 2 of the frame's descriptor (RFC 8878, section 3.1.1.1.1).
  @Test(arguments: [1, 3]) func framesOfZstdHaveAChecksum(threads: Int) throws {
    let file = try OutputFile(scratch.path("out.zst"), compressionThreads: threads)
    try file.write("text")
    try file.finish()
    let bytes = try scratch.bytes("out.zst")
    #expect(bytes[..<4] == [0x28, 0xb5, 0x2f, 0xfd] && bytes[4] & 4 != 0)
  }

  /// zstd with workers and without writes different frames; ours must not depend on the number of threads.
  @Test(arguments: ["zst", "gz"]) func compressionThreadsDoNotChangeABit(suffix: String) throws {
    var generator = RandomGenerator(seed: 1)
    // Parts that occur again, without which both ways to compress find nothing.
    let part = (0..<200_000).map { _ in UInt8(97 + generator.below(9)) }
    let starts = (0..<43).map { _ in generator.below(100_000) }
    let results = try (1...3).map { threads in
      let file = try OutputFile(scratch.path("\(threads).\(suffix)"), compressionThreads: threads)
      for start in starts { try file.write(Array(part[start..<start + 70_001])) }
      try file.finish()
      return try scratch.bytes("\(threads).\(suffix)")
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }
}
