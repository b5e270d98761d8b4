import Foundation

/// A new directory for data that does not fit in memory, which only this user can read, and which is removed when the
/// object is dropped.
///
/// Making one also removes the directories that killed processes of this host have left in the same parent.
package final class TemporaryDirectory {
  package let path: String
  /// Open and locked, for processes of other hosts.
  private let descriptor: Int32

  /// The default parent: `TMPDIR` or `/tmp`.
  package static var common: String {
    let named = ProcessInfo.processInfo.environment["TMPDIR"] ?? ""
    return named.isEmpty ? "/tmp" : named
  }

  /// `parent` must exist; `named` is what the name shows, apart from its owner.
  package init(in parent: String = common, named: String = "data") throws {
    guard Path.isDirectory(parent) else {
      let isCommon = parent == Self.common && ProcessInfo.processInfo.environment["TMPDIR"] != nil
      throw Failure(
        .inputOutput,
        Path.exists(parent)
          ? "is no directory for temporary files" : "the directory for temporary files does not exist",
        file: parent,
        remedy: isCommon ? "Set TMPDIR to a directory that exists, or unset it" : "Create it, or name another"
      )
    }
    let name = Path.join(parent, named)
    path = TemporaryName.path(for: name, .directory)
    TemporaryName.removeLeftovers(of: name)
    descriptor = try SystemCall.makeNewDirectory(path)
    HalfWritten.insert(path)
    flock(descriptor, LOCK_EX | LOCK_NB)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
    HalfWritten.remove(path)
    close(descriptor)
  }
}
