import Foundation
import Support
import Testing

@Suite struct SystemCallTests {
  @Test func exchangeSwapsTwoDirectories() throws {
    let scratch = try Scratch()
    for name in ["a", "b"] {
      try SystemCall.makeDirectories(scratch.path(name))
      try scratch.write(name + "/content", Array(name.utf8))
    }
    try SystemCall.exchange(scratch.path("a"), scratch.path("b"))
    #expect(try scratch.read("a/content") == Array("b".utf8))
    #expect(try scratch.read("b/content") == Array("a".utf8))
    #expect(throws: Failure.self) { try SystemCall.exchange(scratch.path("a"), scratch.path("none")) }
  }
}
