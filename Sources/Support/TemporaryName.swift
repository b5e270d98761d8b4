import Foundation

/// The names under which files and directories are written before they get their own: `.NAME.tmp-KIND`,
/// beside it, so that the final rename is atomic.
package enum TemporaryName {
  package enum Kind: String {
    case file
    case directory
    /// On its way out: see ``SystemCall/remove(_:)``.
    case removed
  }

  /// The temporary name of the file or directory at `path`.
  package static func path(for path: String, _ kind: Kind) -> String {
    Path.join(Path.directory(of: path), ".\(Path.name(of: path))\(suffix(kind))")
  }

  static func suffix(_ kind: Kind) -> String { ".tmp-\(kind.rawValue)" }

  /// Whether a name, without its directory, is a temporary one.
  package static func isTemporary(_ name: String) -> Bool { name.hasPrefix(".") && name.contains(".tmp-") }

  /// Whether a name, without its directory, is a temporary one of `final`.
  package static func isTemporary(_ name: String, of final: String) -> Bool {
    name.hasPrefix(".\(final).tmp-")
  }

  /// Removes everything in a directory that has a temporary name: what killed processes have left.
  ///
  /// Nobody else may write there meanwhile. Tries every name, then throws the first error.
  package static func sweep(_ directory: String) throws {
    var failure: (any Error)?
    for name in try SystemCall.names(in: directory) where isTemporary(name) {
      do { try FileManager.default.removeItem(atPath: Path.join(directory, name)) } catch {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }
}
