import Foundation

/// An advisory lock on a lock file, released when the object is dropped or the process ends for any reason.
package final class FileLock {
  private let descriptor: Int32

  /// Throws if another process holds it, or if the file system has no locks.
  package init(_ path: String, what: String) throws {
    descriptor = try SystemCall.open(path, O_RDWR | O_CREAT | O_NOFOLLOW)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      if code == EWOULDBLOCK {
        throw Failure(
          .failed, "another process is working in \(what)", file: path,
          remedy: "Wait until it has ended, or stop it")
      }
      throw Failure(
        .inputOutput, "cannot lock: \(String(cString: strerror(code)))", file: path,
        remedy:
          "Choose a directory on a file system with locks, or mount this one with them (Lustre: -o flock)")
    }
  }

  deinit {
    // A child that another thread is just starting has a copy of the descriptor until it runs its program; closing ours
    // alone would leave the lock to it for so long.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
