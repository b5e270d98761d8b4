import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct ResumableDirectoryTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test func theSameJobFindsItsStateAndAnotherDoesNot() throws {
    let path = scratch.path("state")
    do {
      let directory = try ResumableDirectory(path, identity: "a", isTemporary: true)
      _ = try directory.subdirectory("inner")
      try scratch.write("state/inner/kept", [1])
      try scratch.write("state/inner/.kept.pkm-00000000-1-1-00000000.tmp-file", [1])
      #expect(throws: Failure.self) { try ResumableDirectory(path, identity: "a", isTemporary: true) }
    }
    do {
      let directory = try ResumableDirectory(path, identity: "a", isTemporary: true)
      #expect(try directory.subdirectory("inner") == path + "/inner")
      #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/inner") == ["kept"])
    }
    // A named directory is not cleared, a temporary one is.
    #expect { try ResumableDirectory(path, identity: "b", isTemporary: false) } throws: {
      ($0 as? Failure)?.kind == .usage
    }
    let other = try ResumableDirectory(path, identity: "b", isTemporary: true)
    #expect(!Path.exists(path + "/inner"))
    other.finish()
    #expect(!Path.exists(path))
  }

  @Test func aRunKilledBeforeItHadNamedItsJobLeavesNothingInTheWay() throws {
    try FileManager.default.createDirectory(atPath: scratch.path("d"), withIntermediateDirectories: true)
    try scratch.write("d/lock", [])
    try scratch.write("d/.job.pkm-00000000-1-1-00000000.tmp-file", [1])
    _ = try ResumableDirectory(scratch.path("d"), identity: "a", isTemporary: false)
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path("d")).sorted()
    #expect(names == ["job", "lock"])
  }

  @Test func aDirectoryOfOtherFilesIsLeftAlone() throws {
    try FileManager.default.createDirectory(atPath: scratch.path("d"), withIntermediateDirectories: true)
    try scratch.write("d/precious", [1])
    #expect(throws: Failure.self) {
      try ResumableDirectory(scratch.path("d"), identity: "a", isTemporary: false)
    }
    // Not even where it has the name of a temporary one, or is a link of that name.
    #expect(throws: Failure.self) {
      try ResumableDirectory(scratch.path("d"), identity: "a", isTemporary: true)
    }
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path("link"), withDestinationPath: scratch.path("other"))
    try FileManager.default.createDirectory(atPath: scratch.path("other"), withIntermediateDirectories: true)
    let refusal = #expect(throws: Failure.self) {
      try ResumableDirectory(scratch.path("link"), identity: "a", isTemporary: true)
    }
    #expect(refusal?.kind == .usage)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("other")) == [])
    #expect(try scratch.bytes("d/precious") == [1])
    let named = try ResumableDirectory(scratch.path("e"), identity: "a", isTemporary: false)
    named.finish()
    #expect(Path.exists(scratch.path("e/job")))
  }
}
