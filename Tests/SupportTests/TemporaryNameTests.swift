import Foundation
import Support
import TestSupport
import Testing

@Suite struct TemporaryNameTests {
  @Test func aSweepRemovesOnlyTemporaryNames() throws {
    let scratch = try Scratch()
    for name in ["kept", ".hidden", "a.tmp-file"] { try scratch.write(name, "") }
    for kind in [TemporaryName.Kind.file, .removed] {
      try Data().write(to: URL(fileURLWithPath: TemporaryName.path(for: scratch.path("x"), kind)))
    }
    try scratch.write(".d.tmp-directory/inside", "")
    try TemporaryName.sweep(scratch.url.path)
    #expect(scratch.names == [".hidden", "a.tmp-file", "kept"])
  }

  @Test func numbersArePaddedButNeverCut() {
    #expect([7, 12345, 123456].map { $0.zeroPadded(to: 5) } == ["00007", "12345", "123456"])
  }
}
