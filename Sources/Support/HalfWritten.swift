import Foundation
import Synchronization

/// What exists on disk and has no owner yet to answer for it after this process: files and directories on their way to
/// their names.
///
/// Their objects remove them when they are dropped. But the process may end before that: an error leaves threads behind
/// that wait for a pipe, with all that they hold. So the end of a command removes the rest.
package enum HalfWritten {
  private static let paths = Mutex<Set<String>>([])

  package static func insert(_ path: String) { _ = paths.withLock { $0.insert(path) } }

  /// Opens a temporary name, new or left by a killed process, and locks it: nobody else writes there until the descriptor
  /// is closed.
  ///
  /// `open` makes what is missing; nil where it was gone before it could be opened. `name` is what is to appear.
  package static func claim(_ path: String, for name: String, open: () throws -> Int32?) throws -> Int32 {
    while true {
      guard let descriptor = try open() else { continue }
      // A file system that knows no locks does without.
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK {
        close(descriptor)
        if paths.withLock({ $0.contains(path) }) {
          throw Failure(
            .usage, "two outputs of this command have this name", file: name,
            remedy: "Give each a name of its own")
        }
        throw Failure(
          .failed, "another process is writing it", file: name,
          remedy: "Wait until it has ended, or choose another output")
      }
      // Another process may have renamed or removed it before it was locked.
      var (opened, named) = (stat(), stat())
      if fstat(descriptor, &opened) == 0, stat(path, &named) == 0, opened.st_ino == named.st_ino {
        insert(path)
        return descriptor
      }
      close(descriptor)
    }
  }

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
