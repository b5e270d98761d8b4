import Foundation

/// A directory for the state of a job that may be killed at any moment: files that have appeared in it by
/// rename are complete, and the next run of the same job continues from them.
///
/// The file `job` in it is its mark: a line that says what it is, then the identity of the job. What has no mark is
/// not ours and is never cleared.
package final class ResumableDirectory {
  package let path: String
  /// A hash of the job's identity, which its sorted runs carry.
  package let tag: UInt64
  private let lock: FileLock
  private let isTemporary: Bool

  private static let mark = "pkm job 1\n"

  /// `identity` is a hash of everything that the state depends on.
  ///
  /// A temporary directory is cleared of the state of another job, and ``finish()`` removes it. A directory
  /// that the user has named keeps its state, and one with the state of another job is an error.
  package init(_ path: String, identity: String, isTemporary: Bool) throws {
    self.path = path
    tag = Hashing.xxh3(identity)
    self.isTemporary = isTemporary
    if isTemporary {
      TemporaryName.removeLeftovers(of: path)
      try Self.checkIsNoLink(path)
    }
    if isTemporary && !Path.exists(path) {
      try SystemCall.makeDirectories(Path.directory(of: path))
      close(try SystemCall.makeNewDirectory(path))
    }
    try SystemCall.makeDirectories(path)
    let names = try SystemCall.names(in: path).filter {
      // A run that was killed at its start may have left a temporary name.
      $0 != "lock" && !TemporaryName.isTemporary($0, of: "job")
    }
    let file = Path.join(path, "job")
    if !names.isEmpty && !names.contains("job") {
      throw Failure(
        .usage, isTemporary ? "holds other files, and pkm-data would work there" : "holds other files",
        file: path,
        remedy: isTemporary
          ? "Remove or rename it, or choose another output" : "Remove it, or name another directory")
    }
    lock = try FileLock(Path.join(path, "lock"), what: path)
    let wanted = Self.mark + identity
    let old = Path.exists(file) ? String(decoding: try MappedFile.read(file), as: UTF8.self) : nil
    if let old, old != wanted {
      guard isTemporary && old.hasPrefix(Self.mark) else {
        throw Failure(
          .usage,
          old.hasPrefix(Self.mark)
            ? "holds the state of another job, or of other input" : "holds other files",
          file: path, remedy: "Remove it, or name another directory")
      }
      // Without its identity, a state that is only partly removed belongs to no job; it stays marked as ours.
      try Self.write(Self.mark, to: file)
      for name in names where name != "job" {
        try FileManager.default.removeItem(atPath: Path.join(path, name))
      }
    }
    if old != wanted { try Self.write(wanted, to: file) }
    try TemporaryName.sweep(path)
  }

  private static func write(_ text: String, to path: String) throws {
    let output = try OutputFile(path)
    try output.write(text)
    try output.finish()
  }

  /// A link with the name of a temporary directory leads to files of somebody else.
  private static func checkIsNoLink(_ path: String) throws {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR || status.st_uid != geteuid() else {
      return
    }
    throw Failure(
      .usage, "is no directory of this user, and pkm-data would work there", file: path,
      remedy: "Remove or rename it, or choose another output")
  }

  /// The path of a subdirectory, which is created if it does not exist.
  package func subdirectory(_ name: String) throws -> String {
    let path = Path.join(path, name)
    try SystemCall.makeDirectories(path)
    try TemporaryName.sweep(path)
    return path
  }

  /// Removes the state in a directory of ours but for the mark of its job, which begins anew in it.
  package static func clear(_ path: String) throws {
    let file = Path.join(path, "job")
    guard Path.exists(file), try String(decoding: MappedFile.read(file), as: UTF8.self).hasPrefix(mark) else {
      throw Failure(.usage, "holds other files", file: path, remedy: "Remove it, or name another directory")
    }
    let lock = try FileLock(Path.join(path, "lock"), what: path)
    for name in try SystemCall.names(in: path) where name != "job" && name != "lock" {
      try SystemCall.remove(Path.join(path, name))
    }
    withExtendedLifetime(lock) {}
  }

  /// Removes the directory, if it is temporary, at the end of the job.
  package func finish() {
    // Renamed first, so that no run continues from a state that is only partly removed.
    if isTemporary { try? SystemCall.remove(path) }
  }
}
