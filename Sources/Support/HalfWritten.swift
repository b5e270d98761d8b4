import Foundation
import Synchronization

/// What exists on disk and has no owner yet to answer for it after this process: files and directories on their way to
/// their names.
///
/// Their objects remove them when they are dropped. But the process may end before that: an error leaves threads behind
/// that wait for a pipe, with all that they hold. So the end of a command removes the rest.
package enum HalfWritten {
  private static let paths = Mutex<Set<String>>([])

  /// False when the path is there already.
  @discardableResult
  package static func insert(_ path: String) -> Bool { paths.withLock { $0.insert(path).inserted } }

  /// Call when the path is renamed or removed.
  package static func remove(_ path: String) { _ = paths.withLock { $0.remove(path) } }

  /// Removes from disk what is left.
  ///
  /// For the end of the process.
  package static func removeAll() {
    let rest = paths.withLock { paths in
      defer { paths = [] }
      return paths
    }
    for path in rest { try? FileManager.default.removeItem(atPath: path) }
  }
}
