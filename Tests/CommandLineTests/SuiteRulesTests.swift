import Foundation
import TestSupport
import Testing

/// What holds for all suites.
@Suite(.timeLimit(.minutes(60))) struct SuiteRulesTests {
  /// The Swift files of the tests, by their paths in the repository.
  private static func files() throws -> [(path: String, text: String)] {
    let root = Repository.path("Tests")
    return try FileManager.default.subpathsOfDirectory(atPath: root).sorted()
      .filter { $0.hasSuffix(".swift") }
      .map { ("Tests/\($0)", try String(contentsOfFile: root + "/" + $0, encoding: .utf8)) }
  }

  /// A test that waits for ever would stop all others. The limit is longer than a run of all tests: they run side by side,
  /// and what a test waits for the others counts.
  @Test func everySuiteHasATimeLimit() throws {
    var suites = 0
    for (path, text) in try Self.files() where !path.hasSuffix("/SuiteRulesTests.swift") {
      let heads = text.split(separator: "\n").filter { $0.hasPrefix("@Suite") }
      #expect(!text.contains("@Test") || !heads.isEmpty, "\(path) has tests without a suite")
      for head in heads { #expect(head.contains(".timeLimit("), "\(path): \(head)") }
      suites += heads.count
    }
    #expect(suites > 100)
  }

  /// Where a test sleeps, and why the result does not depend on how long it takes. No other file may.
  private static let sleeping = [
    "Tests/CommandLineTests/DedupKillTests.swift": "kills at any moment",
    "Tests/CommandLineTests/LearnBPECommandTests.swift": "cuts a pipe in parts",
    "Tests/CommandLineTests/NormalizeCommandTests.swift": "a producer that takes its time",
    "Tests/CommandLineTests/ReadingCommandTests.swift": "asks again and again, for a minute",
    "Tests/CommandLineTests/RunRobustnessTests.swift": "kills at any moment; asks while the process runs",
    "Tests/CommandLineTests/ShardCommandTests.swift": "kills at any moment",
    "Tests/CommandLineTests/SignalCommandTests.swift": "asks while the process runs; what is waited for",
    "Tests/CommandLineTests/TrainCommandTests.swift":
      "kills at any moment; asks again and again, for a minute",
    "Tests/ModelTests/SignalProbe.swift": "paces what sends signals, for ten seconds",
    "Tests/SupportTests/BoundedQueueTests.swift": "asks again and again; time for what must not happen",
    "Tests/SupportTests/OrderedPipelineTests.swift": "work of several lengths",
  ]

  @Test func noSleepDecidesAResult() throws {
    var found: Set<String> = []
    for (path, text) in try Self.files() where !path.hasSuffix("/SuiteRulesTests.swift") {
      guard ["sleep(", "sleep 0", "sleep 1", "sleep 2"].contains(where: text.contains) else { continue }
      found.insert(path)
      #expect(Self.sleeping[path] != nil, "\(path): wait for what is to happen, not for some time")
    }
    #expect(found == Set(Self.sleeping.keys), "no longer sleeping, or no longer there")
  }
}
