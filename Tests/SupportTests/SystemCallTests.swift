import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct SystemCallTests {
  @Test func exchangeSwapsTwoDirectories() throws {
    let scratch = try Scratch()
    for name in ["a", "b"] {
      try SystemCall.makeDirectories(scratch.path(name))
      try scratch.write(name + "/content", Array(name.utf8))
    }
    try SystemCall.exchange(scratch.path("a"), scratch.path("b"))
    #expect(try scratch.bytes("a/content") == Array("b".utf8))
    #expect(try scratch.bytes("b/content") == Array("a".utf8))
    #expect(throws: Failure.self) { try SystemCall.exchange(scratch.path("a"), scratch.path("none")) }
  }

  @Test func removalIsAtOnceAndTakesNothingElse() throws {
    let scratch = try Scratch()
    for name in ["a", ".a.tmp-removed"] {
      try SystemCall.makeDirectories(scratch.path(name))
      try scratch.write(name + "/content", [1])
    }
    try SystemCall.remove(scratch.path("a"))
    #expect(scratch.names == [".a.tmp-removed"])
    #expect(throws: Failure.self) { try SystemCall.remove(scratch.path("a")) }
  }

  @Test func thePeakOfMemoryHasAnyNumberOfDigits() {
    #expect(SystemCall.peakMemory(of: "VmPeak:\t      99 kB\nVmHWM:\t    2136 kB\n") == 2136 << 10)
    #expect(SystemCall.peakMemory(of: "VmHWM:\t12345678 kB\nVmRSS:\t       1 kB\n") == 12_345_678 << 10)
    #expect(SystemCall.peakMemory(of: "") == 0)
    #expect(SystemCall.peakMemory > 1 << 20)
  }

  @Test func errorsOfFoundationNameTheFileAndTheRemedy() throws {
    let scratch = try Scratch()
    do {
      _ = try FileManager.default.contentsOfDirectory(atPath: scratch.path("none"))
      Issue.record("nothing is there")
    } catch {
      let failure = Failure(foundation: error)
      #expect(failure?.kind == .inputOutput && failure?.file == scratch.path("none"))
      #expect(failure?.message.contains("No such file") == true && failure?.remedy != nil)
    }
    struct Other: Error {}
    #expect(Failure(foundation: Other()) == nil)
  }
}
