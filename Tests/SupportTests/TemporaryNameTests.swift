import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct TemporaryNameTests {
  @Test func aSweepRemovesWhatIsLeftAndNothingElse() throws {
    let scratch = try Scratch()
    let others = [".hidden", ".x.tmp-file", ".x.tmp-removed", "a.tmp-file", "kept"]
    for name in others { try scratch.write(name, "") }
    // Of a process that has ended.
    let mark = "pkm-00000000-1-1-00000000"
    for name in [".x.\(mark).tmp-file", ".x.\(mark).tmp-removed", ".d.\(mark).tmp-directory/inside"] {
      try scratch.write(name, "")
    }
    // Of this one, which is being written.
    let own = TemporaryName.path(for: scratch.path("own"), .file)
    try Data().write(to: URL(fileURLWithPath: own))
    // A link and a directory with the name of a file are none of ours.
    let link = ".y.\(mark).tmp-file"
    try FileManager.default.createSymbolicLink(atPath: scratch.path(link), withDestinationPath: "kept")
    try TemporaryName.sweep(scratch.url.path)
    #expect(Set(scratch.names) == Set(others + [Path.name(of: own), link]))
  }

  @Test func aNameSaysWhoseItIs() throws {
    let path = TemporaryName.path(for: "directory/a.b", .directory)
    let parts = try #require(TemporaryName.parts(of: Path.name(of: path)))
    #expect(Path.directory(of: path) == "directory" && parts.final == "a.b" && parts.kind == .directory)
    #expect(parts.owner == .own && parts.owner.isAlive && parts.owner.isOnThisHost)
    for name in [
      ".a.tmp-file", ".a.pkm-1.tmp-file", "a.pkm-00000000-1-1-00000000.tmp-file", ".tmp-file", "", ".",
    ] {
      #expect(TemporaryName.parts(of: name) == nil, "\(name)")
    }
  }

  @Test func numbersArePaddedButNeverCut() {
    #expect([7, 12345, 123456].map { $0.zeroPadded(to: 5) } == ["00007", "12345", "123456"])
  }
}
