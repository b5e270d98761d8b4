import Foundation
import Support

/// The directory of a run, locked for this process. Until ``keep()`` it leaves nothing behind that it has made.
final class RunDirectory {
  private let path: String
  private let lock: FileLock
  /// The directories that were made for it, innermost first.
  private var made: [String]

  init(_ path: String) throws {
    var made: [String] = []
    var missing = path
    while missing.count > 1 && missing.hasSuffix("/") { missing.removeLast() }
    while !Path.exists(missing) {
      made.append(missing)
      missing = Path.directory(of: missing)
    }
    try SystemCall.makeDirectories(path)
    do { lock = try FileLock(Path.join(path, ".lock"), what: "this run directory") } catch {
      for directory in made { rmdir(directory) }
      throw error
    }
    (self.path, self.made) = (path, made)
  }

  /// The run has begun.
  func keep() { made = [] }

  deinit {
    guard !made.isEmpty else { return }
    unlink(Path.join(path, ".lock"))
    // Those that hold something stay.
    for directory in made { rmdir(directory) }
  }
}
