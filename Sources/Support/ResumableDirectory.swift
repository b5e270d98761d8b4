import Foundation

/// A directory for the state of a job that may be killed at any moment: what has appeared in it by rename is whole, and
/// the next run of the same job goes on from there.
package final class ResumableDirectory {
  package let path: String
  private let lock: FileLock
  private let isTemporary: Bool

  /// `identity` is a hash of all that the state depends on.
  ///
  /// A directory that the user named keeps its state until he removes it, and that of another job is refused; a
  /// temporary one is cleared of it, and removed by ``finish()``.
  package init(_ path: String, identity: String, isTemporary: Bool) throws {
    self.path = path
    self.isTemporary = isTemporary
    try SystemCall.makeDirectories(path)
    lock = try FileLock(Path.join(path, "lock"), what: path)
    let file = Path.join(path, "job")
    let old = Path.exists(file) ? String(decoding: try MappedFile.read(file), as: UTF8.self) : nil
    if old != identity {
      // A run killed at its very start has left the name of its job half-written.
      let names = try SystemCall.names(in: path)
        .filter { $0 != "lock" && $0 != Path.name(of: TemporaryName.path(for: file, .file)) }
      if !names.isEmpty && !isTemporary {
        throw Failure(
          .usage, old == nil ? "holds other files" : "holds the state of another job, or of other input",
          file: path, remedy: "Remove it, or name another directory")
      }
      // What is half removed is the state of no job.
      unlink(file)
      for name in names where name != "job" {
        try FileManager.default.removeItem(atPath: Path.join(path, name))
      }
      let output = try OutputFile(file)
      try output.write(identity)
      try output.finish()
    }
    try TemporaryName.sweep(path)
  }

  /// A directory inside, made where it does not exist.
  package func subdirectory(_ name: String) throws -> String {
    let path = Path.join(path, name)
    try SystemCall.makeDirectories(path)
    try TemporaryName.sweep(path)
    return path
  }

  /// The job is done: a temporary directory goes.
  package func finish() {
    guard isTemporary else { return }
    // First the name of the job, so that nobody takes a half-removed state for a whole one.
    unlink(Path.join(path, "job"))
    try? FileManager.default.removeItem(atPath: path)
  }
}
