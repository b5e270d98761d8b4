import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct OutputDirectoryTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test func aDirectoryAppearsOnlyWhenFinished() throws {
    do {
      let dropped = try OutputDirectory(scratch.path("d"))
      try Data("x".utf8).write(to: URL(fileURLWithPath: dropped.temporary + "/f"))
    }
    #expect(scratch.names.isEmpty)
    let directory = try OutputDirectory(scratch.path("d/"))
    try Data("x".utf8).write(to: URL(fileURLWithPath: directory.temporary + "/f"))
    #expect(!scratch.names.contains("d"))
    try directory.finish()
    #expect(try scratch.names == ["d"] && scratch.bytes("d/f") == Array("x".utf8))
    #expect(throws: Failure.self) { try OutputDirectory(scratch.path("d")) }
  }

  @Test func aLinkToNothingOrToAnEmptyDirectoryStays() throws {
    try FileManager.default.createDirectory(atPath: scratch.path("empty"), withIntermediateDirectories: true)
    for name in ["new", "empty"] {
      let link = scratch.path("link-\(name)")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: name)
      let directory = try OutputDirectory(link + "/")
      try directory.write("f", Array(name.utf8))
      try directory.finish()
      #expect(try Path.isLink(link) && scratch.bytes("\(name)/f") == Array(name.utf8))
    }
  }

  @Test(arguments: [0o750, 0o711]) func anEmptyDirectoryKeepsItsMode(mode: Int) throws {
    let path = scratch.path("d")
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
    let directory = try OutputDirectory(path)
    try directory.write("f", Array("x".utf8))
    try directory.finish()
    let found = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(try found == mode && scratch.bytes("d/f") == Array("x".utf8))
  }

  @Test func aDirectoryHasOneWriterAtATime() throws {
    let first = try OutputDirectory(scratch.path("d"))
    func refusal(of name: String) -> Failure? {
      do {
        _ = try OutputDirectory(scratch.path(name))
        return nil
      } catch { return error as? Failure }
    }
    let busy = refusal(of: "d/")
    #expect(busy?.kind == .usage && busy?.message.contains("two outputs") == true && busy?.remedy != nil)
    #expect(refusal(of: "e") == nil)
    // The refused one has taken nothing away.
    try Data("x".utf8).write(to: URL(fileURLWithPath: first.temporary + "/f"))
    try first.finish()
    #expect(try scratch.names == ["d"] && scratch.bytes("d/f") == Array("x".utf8))
    #expect(refusal(of: "d")?.message == "exists already")
    #expect(scratch.names == ["d"])
  }

  @Test func aDirectoryLeftByAKilledProcessIsRemovedAndOneOfTheUserIsNot() async throws {
    let directory = scratch.url.path
    await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
      let temporary = try OutputDirectory(Path.join(directory, "d")).temporary
      try FileManager.default.createDirectory(atPath: temporary + "/inner", withIntermediateDirectories: true)
      try Data("old".utf8).write(to: URL(fileURLWithPath: temporary + "/inner/f"))
      kill(getpid(), SIGKILL)
    }
    try scratch.write(".d.tmp-directory/precious", "precious")
    try OutputDirectory(scratch.path("d")).finish()
    #expect(scratch.names == [".d.tmp-directory", "d"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("d")) == [])
    #expect(try scratch.text(".d.tmp-directory/precious") == "precious")
  }

  @Test func aTemporaryDirectoryGoesAndTakesWhatKilledProcessesLeft() async throws {
    let common = scratch.url.path
    await #expect(processExitsWith: .signal(SIGKILL)) { [common = common as String] in
      let left = try TemporaryDirectory(in: common)
      try Data("old".utf8).write(to: URL(fileURLWithPath: left.path + "/f"))
      kill(getpid(), SIGKILL)
    }
    #expect(scratch.names.count == 1)
    try scratch.write(".pkm-0.tmp-directory/precious", "precious")
    do {
      let first = try TemporaryDirectory(in: common)
      let second = try TemporaryDirectory(in: common)
      // The leftover is gone; what is in use, and what is not ours, is not.
      #expect(scratch.names.count == 3)
      for directory in [first, second] {
        #expect(Path.isDirectory(directory.path))
        #expect(Path.directory(of: directory.path) == common)
      }
    }
    #expect(scratch.names == [".pkm-0.tmp-directory"])
    let failure = #expect(throws: Failure.self) { _ = try TemporaryDirectory(in: common + "/no/such") }
    #expect(failure?.message.contains("does not exist") == true && failure?.file == common + "/no/such")
  }
}
