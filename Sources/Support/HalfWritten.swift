import Foundation
import Synchronization

/// The files and directories that this process is writing under temporary names.
///
/// The objects that write them remove them when they are dropped. But a command can end before that: after an
/// error, threads that wait for a pipe keep their objects alive. So the end of a command removes the rest.
package enum HalfWritten {
  private static let paths = Mutex<Set<String>>([])
  private static let hasWarned = Mutex(false)

  package static func insert(_ path: String) { _ = paths.withLock { $0.insert(path) } }

  /// Creates and locks a temporary file or directory for `name`, the final path, and removes what killed processes have
  /// left of the same name.
  ///
  /// `create` makes what has this path and opens it. Throws where another process, or another output of this one, is
  /// about to have the name: it shows by its temporary one.
  package static func claim(_ path: String, for name: String, create: () throws -> Int32) throws -> Int32 {
    // Said before the work, not when the finished file is renamed.
    if Path.name(of: name).utf8.count > 255 {
      throw Failure(
        .inputOutput, "the name is longer than the 255 bytes of a file name", file: name,
        remedy: "Choose a shorter one")
    }
    TemporaryName.removeLeftovers(of: name)
    try checkOthers(of: name)
    let descriptor: Int32
    do { descriptor = try create() } catch let failure as Failure where failure.file == path {
      // People know the name that they gave.
      throw Failure(failure.kind, failure.message, file: name, remedy: failure.remedy)
    }
    insert(path)
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 { warnOfMissingLocks(name, errno) }
    return descriptor
  }

  /// Throws where somebody else has a temporary name of `name`.
  ///
  /// A lock that is held shows a writer on any host. Where the file system has no locks, a process of this host still
  /// shows by its mark, and for others the rename decides.
  private static func checkOthers(of name: String) throws {
    let (directory, final) = (Path.directory(of: name), Path.name(of: name))
    for other in (try? SystemCall.names(in: directory)) ?? []
    where TemporaryName.isTemporary(other, of: final) {
      let path = Path.join(directory, other)
      guard let parts = TemporaryName.parts(of: other), TemporaryName.isOurs(path, parts) else { continue }
      if parts.kind == .removed { continue }
      if paths.withLock({ $0.contains(path) }) {
        throw Failure(
          .usage, "two outputs of this command have this name", file: name,
          remedy: "Give each output its own name")
      }
      let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
      defer { if descriptor >= 0 { close(descriptor) } }
      let isLocked = descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
      if isLocked || parts.owner.isAlive && parts.owner != .own && Path.exists(path) {
        throw Failure(
          .failed, "another process is writing it", file: name,
          remedy: "Wait until it has ended, or choose another output")
      }
    }
  }

  private static func warnOfMissingLocks(_ name: String, _ code: Int32) {
    let isFirst = hasWarned.withLock { hasWarned in
      defer { hasWarned = true }
      return !hasWarned
    }
    if !isFirst { return }
    Log.warn(
      "\(Path.directory(of: name)): the file system has no locks (\(String(cString: strerror(code)))): "
        + "a process of another host that writes the same output is not noticed, and the last one wins")
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
