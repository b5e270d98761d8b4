import Foundation
import TestSupport
import Testing

@testable import Support

@Suite(.timeLimit(.minutes(60))) struct MemoryLimitTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func limit(_ cgroup: String, _ mountinfo: String, _ files: [String: String]) throws -> Int? {
    try scratch.write("proc/self/cgroup", cgroup)
    try scratch.write("proc/self/mountinfo", mountinfo)
    for (name, text) in files { try scratch.write(name, text + "\n") }
    return MemoryLimit.ofControlGroups(root: scratch.url.path)
  }

  private static let unified =
    "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
  private static let memory = "35 31 0:32 ROOT /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

  @Test func versionTwo() throws {
    #expect(
      try limit(
        "0::/user.slice/job.scope\n", Self.unified,
        [
          "sys/fs/cgroup/user.slice/job.scope/memory.max": "max",
          "sys/fs/cgroup/user.slice/memory.max": "max",
        ])
        == nil)
    #expect(
      try limit(
        "0::/user.slice/job.scope\n", Self.unified,
        ["sys/fs/cgroup/user.slice/job.scope/memory.max": "2147483648"]) == 2_147_483_648)
    // The groups around it limit it as well, and memory.high slows down what exceeds it.
    #expect(
      try limit(
        "0::/user.slice/job.scope\n", Self.unified, ["sys/fs/cgroup/user.slice/memory.max": "1073741824"])
        == 1_073_741_824)
    #expect(
      try limit(
        "0::/user.slice/job.scope\n", Self.unified,
        ["sys/fs/cgroup/user.slice/job.scope/memory.high": "536870912"]) == 536_870_912)
  }

  @Test func versionOne() throws {
    let mount = Self.memory.replacingOccurrences(of: "ROOT", with: "/")
    // No limit is a number close to 2⁶³.
    #expect(
      try limit(
        "9:cpu:/\n4:memory:/docker/abc\n0::/\n", mount,
        ["sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "9223372036854771712"]) == nil)
    #expect(
      try limit(
        "4:memory:/docker/abc\n", mount,
        ["sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "805306368"]) == 805_306_368)
  }

  @Test func aContainerSeesItsPartOfTheHierarchy() throws {
    let mount = Self.memory.replacingOccurrences(of: "ROOT", with: "/docker/abc")
    #expect(
      try limit(
        "4:memory,hugetlb:/docker/abc/inner\n", mount,
        ["sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456"]) == 268_435_456)
  }

  @Test func whatIsNoLimitIsNone() throws {
    #expect(MemoryLimit.ofControlGroups(root: scratch.path("nowhere")) == nil)
    #expect(try limit("rubbish\n0::\n", "rubbish\n- - -\n" + Self.unified, [:]) == nil)
    #expect(
      try limit("0::/../../x\n", Self.unified, ["sys/fs/cgroup/x/memory.max": "-5"]) == nil)
    #expect(MemoryLimit.bytes > 1 << 20)
    #expect(MemoryLimit.share(given: nil) == MemoryLimit.bytes / 4)
    #expect(MemoryLimit.share(given: .max) == MemoryLimit.bytes)
  }
}
