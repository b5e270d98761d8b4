import Foundation
import TestSupport
import Testing

/// A line of shell, as users pipe the tools together.
///
/// Both tools are on its path.
func runShell(_ script: String, in directory: URL) throws -> Subprocess.Result {
  let path = Tool.directory.path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")
  return try Subprocess.run(
    "/bin/bash", ["-o", "pipefail", "-c", script], in: directory, environment: ["PATH": path])
}

/// The object that `--summary` wrote.
func readSummary(_ path: String) throws -> [String: Any] {
  let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path)))
  return try #require(object as? [String: Any])
}
