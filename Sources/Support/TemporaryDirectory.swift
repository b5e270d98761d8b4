import Foundation

/// A directory of its own, in a common one, for what does not fit into memory; it goes with the object.
///
/// What killed processes have left in the common one goes, too: nobody holds the lock on it.
package final class TemporaryDirectory {
  package var path: String { directory.temporary }
  // Never finished, so that it never gets its name.
  private let directory: OutputDirectory

  /// Where temporary files go unless something else is said.
  package static var common: String { ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp" }

  private static let prefix = "pkm-"

  package init(in parent: String = common) throws {
    Self.removeLeftovers(in: parent)
    while true {
      do {
        directory = try OutputDirectory(Path.join(parent, Self.prefix + UUID().uuidString))
        return
      } catch let failure as Failure where failure.kind == .failed {
        // Another process took it for a leftover before it was locked.
      }
    }
  }

  private static func removeLeftovers(in parent: String) {
    let (start, end) = (".\(prefix)", TemporaryName.suffix(.directory))
    for name in (try? SystemCall.names(in: parent)) ?? []
    where name.hasPrefix(start) && name.hasSuffix(end) {
      // Whoever can lock it takes it over, and this one drops it.
      _ = try? OutputDirectory(Path.join(parent, String(name.dropFirst().dropLast(end.count))))
    }
  }
}
