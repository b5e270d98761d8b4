import Foundation

/// A directory that appears under its name only when it is complete.
///
/// Dropped before ``finish()`` it leaves nothing; what a killed run left is cleared by the next one. While it is being
/// written it is locked: a second process that wants the same name is refused at once, not after hours of work.
package final class OutputDirectory {
  package let path: String
  /// Where to write meanwhile: beside `path`, so that the rename is atomic.
  package let temporary: String
  /// Open and locked until the directory is finished or dropped.
  private let descriptor: Int32
  private var isOpen = true

  /// Refuses a name that is taken, unless what stands there is an empty directory.
  package init(_ path: String) throws {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    self.path = path
    temporary = TemporaryName.path(for: path, .directory)
    let temporary = temporary
    descriptor = try HalfWritten.claim(temporary, for: path) {
      try SystemCall.makeDirectories(temporary)
      let descriptor = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      // Another process may have renamed or removed it meanwhile.
      if descriptor < 0 && errno == ENOENT { return nil }
      guard descriptor >= 0 else { throw SystemCall.failure("open", temporary) }
      return descriptor
    }
    do {
      for name in try SystemCall.names(in: temporary) {
        try FileManager.default.removeItem(atPath: Path.join(temporary, name))
      }
      // Looked at when the lock is held: the one who had it may just have finished.
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

  /// Makes a file in the directory, which ``finish()`` syncs.
  package func write(_ name: String, _ bytes: [UInt8]) throws {
    let path = Path.join(temporary, name)
    let file = try SystemCall.open(path, O_WRONLY | O_CREAT | O_TRUNC)
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
    try SystemCall.syncDirectory(temporary)
    do { try SystemCall.rename(temporary, to: path) } catch {
      // Where only the sync of the name failed the same command would find the name taken.
      Foundation.rename(path, temporary)
      throw error
    }
    HalfWritten.remove(temporary)
    isOpen = false
    close(descriptor)
  }

  package func discard() {
    guard isOpen else { return }
    isOpen = false
    try? FileManager.default.removeItem(atPath: temporary)
    HalfWritten.remove(temporary)
    close(descriptor)
  }
}
