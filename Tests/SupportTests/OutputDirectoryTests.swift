import Foundation
import Support
import TestSupport
import Testing

@Suite struct OutputDirectoryTests {
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

  @Test func aDirectoryLeftByAKilledProcessIsTakenOver() throws {
    let temporary = try OutputDirectory(scratch.path("d")).temporary
    try FileManager.default.createDirectory(atPath: temporary + "/inner", withIntermediateDirectories: true)
    try Data("old".utf8).write(to: URL(fileURLWithPath: temporary + "/inner/f"))
    try OutputDirectory(scratch.path("d")).finish()
    #expect(scratch.names == ["d"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("d")) == [])
  }

  @Test func aTemporaryDirectoryGoesAndTakesWhatKilledProcessesLeft() throws {
    let common = scratch.url.path
    try FileManager.default.createDirectory(
      atPath: scratch.path(".pkm-0.tmp-directory/inner"), withIntermediateDirectories: true)
    try scratch.write(".pkm-0.tmp-directory/inner/f", [1])
    do {
      let first = try TemporaryDirectory(in: common)
      let second = try TemporaryDirectory(in: common)
      // The leftover is gone, what is in use is not.
      #expect(scratch.names.count == 2)
      for directory in [first, second] {
        #expect(Path.isDirectory(directory.path))
        #expect(Path.directory(of: directory.path) == common)
      }
    }
    #expect(scratch.names == [])
  }
}
