import Foundation
import Synchronization

/// The files and directories that this process is writing under temporary names.
///
/// The objects that write them remove them when they are dropped. But a command can end before that: after an
/// error, threads that wait for a pipe keep their objects alive. So the end of a command removes the rest.
package enum HalfWritten {
  private static let paths = Mutex<Set<String>>([])

  package static func insert(_ path: String) { _ = paths.withLock { $0.insert(path) } }

  /// Opens and locks a temporary file or directory, new or left by a killed process: no other process writes
  /// there until the descriptor is closed.
  ///
  /// `open` creates it if it is missing, and returns nil if another process removed it meanwhile. `name` is
  /// the final path, for messages.
  package static func claim(_ path: String, for name: String, open: () throws -> Int32?) throws -> Int32 {
    while true {
      guard let descriptor = try open() else { continue }
      // Any other error means that the file system has no locks: go on without.
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK {
        close(descriptor)
        if paths.withLock({ $0.contains(path) }) {
          throw Failure(
            .usage, "two outputs of this command have this name", file: name,
            remedy: "Give each output its own name")
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

  /// Call this when the path has been renamed or removed.
  package static func remove(_ path: String) { _ = paths.withLock { $0.remove(path) } }

  /// Removes everything that is left from the disk, at the end of the process.
  package static func removeAll() {
    let rest = paths.withLock { paths in
      defer { paths = [] }
      return paths
    }
    for path in rest { try? FileManager.default.removeItem(atPath: path) }
  }
}
