import Foundation
import Testing

/// A line of shell, as users pipe the tools together.
///
/// Both tools are on its path.
func runShell(_ script: String, in directory: URL) throws -> Tool.Result {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/bin/bash")
  process.arguments = ["-o", "pipefail", "-c", "{ \(script)\n} > .out 2> .err < /dev/null"]
  process.currentDirectoryURL = directory
  var environment = ProcessInfo.processInfo.environment
  environment["PATH"] = Tool.directory.path + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
  process.environment = environment
  try process.run()
  process.waitUntilExit()
  let (output, errors) = (directory.appendingPathComponent(".out"), directory.appendingPathComponent(".err"))
  defer { for file in [output, errors] { try? FileManager.default.removeItem(at: file) } }
  return Tool.Result(
    status: process.terminationStatus, output: try Data(contentsOf: output),
    errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
}

/// The object that `--summary` wrote.
func readSummary(_ path: String) throws -> [String: Any] {
  let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
  return try #require(object as? [String: Any])
}
