import Foundation

/// A new directory for data that does not fit in memory, which is removed when the object is dropped.
///
/// Making one also removes the directories that killed processes have left in the same parent: nobody holds
/// their locks.
package final class TemporaryDirectory {
  package var path: String { directory.temporary }
  // Never finished: its temporary name is the one that is used.
  private let directory: OutputDirectory

  /// The default parent: `TMPDIR` or `/tmp`.
  package static var common: String { ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp" }

  private static let prefix = "pkm-"

  package init(in parent: String = common) throws {
    Self.removeLeftovers(in: parent)
    while true {
      do {
        directory = try OutputDirectory(Path.join(parent, Self.prefix + UUID().uuidString))
        return
      } catch let failure as Failure where failure.kind == .failed {
        // Another process removed it before it was locked. Try another name.
      }
    }
  }

  private static func removeLeftovers(in parent: String) {
    let (start, end) = (".\(prefix)", TemporaryName.suffix(.directory))
    for name in (try? SystemCall.names(in: parent)) ?? []
    where name.hasPrefix(start) && name.hasSuffix(end) {
      // Succeeds only if nobody holds its lock; dropping the object removes the directory.
      _ = try? OutputDirectory(Path.join(parent, String(name.dropFirst().dropLast(end.count))))
    }
  }
}
