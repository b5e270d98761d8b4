import Foundation
import TestSupport
import Testing

/// Runs the built tools as a user would: a process, its standard streams and its exit code.
struct Tool {
  let name: String

  static let data = Tool(name: "pkm-data")
  static let train = Tool(name: "pkm-train")

  /// The directory of the test executable holds the tools built with it.
  static let directory = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    .deletingLastPathComponent()

  @discardableResult
  func callAsFunction(
    _ arguments: String..., input: Data? = nil, in directory: URL? = nil,
    environment: [String: String] = [:]
  ) throws -> Subprocess.Result {
    try run(arguments, input: input, in: directory, environment: environment)
  }

  func run(
    _ arguments: [String], input: Data? = nil, in directory: URL? = nil, environment: [String: String] = [:]
  ) throws -> Subprocess.Result {
    try Subprocess.run(
      Tool.directory.appendingPathComponent(name).path, arguments, input: input ?? Data(), in: directory,
      environment: environment)
  }
}
