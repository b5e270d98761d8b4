import Foundation
import Support

/// The programs of others that ours are compared with: scripts in Tests/Peers.
package enum Peers {
  /// The interpreter with the packages of Tests/Peers/requirements.txt: what `PKM_PEERS_PYTHON` names.
  ///
  /// nil in a quick run.
  package static let python =
    Tier.isQuick ? nil : ProcessInfo.processInfo.environment["PKM_PEERS_PYTHON"]

  /// Runs a script; texts go in as JSON strings, one a line, and its output is returned.
  package static func run(_ script: String, _ arguments: [String], texts: [String] = []) throws -> [UInt8] {
    guard let python else { throw Failure(.failed, "PKM_PEERS_PYTHON is not set") }
    let result = try Subprocess.run(
      python, [Repository.path("Tests/Peers/\(script)")] + arguments,
      input: Data(texts.map { JSONText.quote($0) + "\n" }.joined().utf8))
    guard result.status == 0 else { throw Failure(.failed, "\(script) \(arguments): \(result.errors)") }
    return Array(result.output)
  }
}
