import Foundation

/// A directory for the state of a job that may be killed at any moment: files that have appeared in it by
/// rename are complete, and the next run of the same job continues from them.
package final class ResumableDirectory {
  package let path: String
  private let lock: FileLock
  private let isTemporary: Bool

  /// `identity` is a hash of everything that the state depends on.
  ///
  /// A temporary directory is cleared of the state of another job, and ``finish()`` removes it. A directory
  /// that the user has named keeps its state, and one with the state of another job is an error.
  package init(_ path: String, identity: String, isTemporary: Bool) throws {
    self.path = path
    self.isTemporary = isTemporary
    try SystemCall.makeDirectories(path)
    lock = try FileLock(Path.join(path, "lock"), what: path)
    let file = Path.join(path, "job")
    let old = Path.exists(file) ? String(decoding: try MappedFile.read(file), as: UTF8.self) : nil
    if old != identity {
      // A run that was killed at its start may have left the temporary name of `job`.
      let names = try SystemCall.names(in: path)
        .filter { $0 != "lock" && !TemporaryName.isTemporary($0, of: "job") }
      if !names.isEmpty && !isTemporary {
        throw Failure(
          .usage, old == nil ? "holds other files" : "holds the state of another job, or of other input",
          file: path, remedy: "Remove it, or name another directory")
      }
      // Without its name, a state that is only partly removed belongs to no job.
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

  /// The path of a subdirectory, which is created if it does not exist.
  package func subdirectory(_ name: String) throws -> String {
    let path = Path.join(path, name)
    try SystemCall.makeDirectories(path)
    try TemporaryName.sweep(path)
    return path
  }

  /// Removes the directory, if it is temporary, at the end of the job.
  package func finish() {
    guard isTemporary else { return }
    // The name of the job first, so that no run continues from a state that is only partly removed.
    unlink(Path.join(path, "job"))
    try? FileManager.default.removeItem(atPath: path)
  }
}
