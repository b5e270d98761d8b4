import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct OwnFilesTests {
  @Test func twoOutputsAreNotOneFile() async throws {
    let scratch = try Scratch()
    try scratch.write("a", "")
    try scratch.write("other", "")
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path("link"), withDestinationPath: scratch.path("a"))
    link(scratch.path("a"), scratch.path("hard"))
    let directory = scratch.url.path
    await #expect(processExitsWith: .success) { [directory = directory as String] in
      func isRefused(_ one: String, _ other: String) -> Bool {
        OwnFiles.removeAll()
        let (one, other) = (Path.join(directory, one), Path.join(directory, other))
        do {
          try OwnFiles.register(.output(one) + .output(other, "--summary"))
          return false
        } catch { return (error as? Failure)?.kind == .usage }
      }
      for name in ["a", "link", "hard", "./a", "../" + Path.name(of: directory) + "/a"]
      where !isRefused("a", name) {
        exit(1)
      }
      // Files that do not exist yet, in directories that may not exist yet.
      for (one, two) in [("new", "./new"), ("no/such", "no/such"), ("no/./such", "no/such")]
      where !isRefused(one, two) { exit(2) }
      for (one, two) in [("a", "other"), ("new", "newer"), ("no/such", "no/other")] where isRefused(one, two)
      { exit(3) }
      if isRefused("/dev/null", "/dev/null") { exit(4) }
      exit(0)
    }
  }
}
