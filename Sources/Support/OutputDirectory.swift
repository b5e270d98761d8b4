import Foundation

/// A directory that appears under its name only when it is complete.
///
/// If it is dropped before ``finish()``, it leaves nothing behind; the next run removes what a killed run left. A
/// second process that wants the same name fails at once, not after hours of work. Until it is finished only this
/// user can enter it; then it has the mode of the umask.
package final class OutputDirectory {
  package let path: String
  /// The path to write to until ``finish()``.
  package let temporary: String
  /// Open and locked until the directory is finished or dropped.
  private let descriptor: Int32
  private var isOpen = true

  /// Throws if `path` exists, unless it is an empty directory.
  package init(_ path: String) throws {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    // A symbolic link stays, as that to a file does.
    path = Path.resolvingLinks(path)
    self.path = path
    temporary = TemporaryName.path(for: path, .directory)
    let temporary = temporary
    try SystemCall.makeDirectories(Path.directory(of: path))
    descriptor = try HalfWritten.claim(temporary, for: path) { try SystemCall.makeNewDirectory(temporary) }
    do {
      // The process that was writing it before may just have finished.
      try checkName()
    } catch {
      discard()
      throw error
    }
  }

  deinit { discard() }

  private func checkName() throws {
    guard Path.exists(path) else { return }
    let content = Path.isDirectory(path) ? try? SystemCall.names(in: path) : nil
    guard content?.isEmpty == true else {
      throw Failure(
        .inputOutput, "exists already", file: path, remedy: "Choose another output or remove it first")
    }
  }

  /// Writes a file in the directory; ``finish()`` syncs it.
  package func write(_ name: String, _ bytes: [UInt8]) throws {
    let path = Path.join(temporary, name)
    let file = try SystemCall.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW)
    defer { close(file) }
    try bytes.withUnsafeBytes { try SystemCall.write(file, $0, path: path) }
  }

  /// Syncs every file and renames the directory into place.
  package func finish() throws {
    for name in try SystemCall.names(in: temporary) {
      let file = Path.join(temporary, name)
      let descriptor = try SystemCall.open(file, O_RDONLY)
      defer { close(descriptor) }
      try SystemCall.sync(descriptor, path: file)
    }
    // An empty directory that it replaces keeps its mode.
    var replaced = stat()
    let mode = stat(path, &replaced) == 0 ? replaced.st_mode & 0o777 : 0o777 & ~SystemCall.umask
    if fchmod(descriptor, mode) != 0 { throw SystemCall.failure("set the mode of", temporary) }
    try SystemCall.syncDirectory(temporary)
    do { try SystemCall.rename(temporary, to: path) } catch {
      // If only the sync after the rename failed, the same command would find that the path exists.
      if Path.exists(temporary) {
        try checkName()
      } else {
        Foundation.rename(path, temporary)
      }
      throw error
    }
    HalfWritten.remove(temporary)
    isOpen = false
    close(descriptor)
  }

  /// Removes the directory, unless it is finished.
  package func discard() {
    guard isOpen else { return }
    isOpen = false
    try? FileManager.default.removeItem(atPath: temporary)
    HalfWritten.remove(temporary)
    close(descriptor)
  }
}
