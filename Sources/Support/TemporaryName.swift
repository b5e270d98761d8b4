import Foundation

/// The names under which files and directories are written before they get their own, beside them, so that the
/// final rename is atomic: `.NAME.pkm-HOST-PID-START-RANDOM.tmp-KIND`.
///
/// A name belongs to one attempt alone, so that two processes never write to the same file, even where the file
/// system has no locks: the rename decides who wins. It names its owner, the process, so that what a killed
/// process has left can be told from what is being written, and from files of the user, which are never touched.
package enum TemporaryName {
  package enum Kind: String {
    case file
    case directory
    /// On its way out: see ``SystemCall/remove(_:)``.
    case removed
  }

  /// What a temporary name says.
  package struct Parts: Equatable {
    /// The name that the file is to have, or its beginning where it is long.
    package let final: String
    package let owner: ProcessMark
    package let kind: Kind
  }

  /// A new temporary name for the file or directory at `path`, which nobody else has.
  package static func path(for path: String, _ kind: Kind) -> String {
    let random = hexadecimal(UInt32.random(in: 0...UInt32.max))
    let name = ".\(shortened(Path.name(of: path))).\(ProcessMark.own)-\(random).tmp-\(kind.rawValue)"
    return Path.join(Path.directory(of: path), name)
  }

  /// The parts of a name, without its directory; nil if it is not one of ours.
  package static func parts(of name: String) -> Parts? {
    guard name.hasPrefix("."), let dot = name.lastIndex(of: "."),
      case let ending = name[dot...], ending.hasPrefix(".tmp-"),
      let kind = Kind(rawValue: String(ending.dropFirst(5))),
      let mark = name[..<dot].lastIndex(of: "."), mark > name.startIndex
    else { return nil }
    let words = name[..<dot][mark...].dropFirst().split(separator: "-", omittingEmptySubsequences: false)
    guard words.count == 5, let owner = ProcessMark(words.dropLast()), isHexadecimal(words[4]) else {
      return nil
    }
    return Parts(final: String(name[name.index(after: name.startIndex)..<mark]), owner: owner, kind: kind)
  }

  package static func isTemporary(_ name: String) -> Bool { parts(of: name) != nil }

  /// Whether a name, without its directory, is a temporary one of `final`.
  package static func isTemporary(_ name: String, of final: String) -> Bool {
    parts(of: name)?.final == shortened(final)
  }

  /// Removes what killed processes have left in a directory that this process alone works in: everything of ours
  /// whose owner does not live on this host.
  ///
  /// Tries every name, then throws the first error.
  package static func sweep(_ directory: String) throws {
    var failure: (any Error)?
    for name in try SystemCall.names(in: directory) {
      guard let parts = parts(of: name), !parts.owner.isAlive, case let path = Path.join(directory, name),
        isOurs(path, parts)
      else { continue }
      do { try FileManager.default.removeItem(atPath: path) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }

  /// Removes what killed processes of this host have left of the temporary names of `path`.
  package static func removeLeftovers(of path: String) {
    let (directory, final) = (Path.directory(of: path), Path.name(of: path))
    for name in (try? SystemCall.names(in: directory)) ?? [] where isTemporary(name, of: final) {
      guard let parts = parts(of: name), parts.owner.isOnThisHost, !parts.owner.isAlive,
        case let left = Path.join(directory, name), isOurs(left, parts)
      else { continue }
      try? FileManager.default.removeItem(atPath: left)
    }
  }

  /// Whether the file is what its name says: a file or directory of this user, not a link that somebody has put there.
  static func isOurs(_ path: String, _ parts: Parts) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_uid == geteuid() else { return false }
    switch (parts.kind, status.st_mode & S_IFMT) {
    case (.file, S_IFREG), (.directory, S_IFDIR), (.removed, S_IFREG), (.removed, S_IFDIR): return true
    default: return false
    }
  }

  /// A file name has at most 255 bytes.
  private static func shortened(_ name: String) -> String {
    if name.utf8.count <= 160 { return name }
    var start = name.unicodeScalars.prefix(120)
    while start.reduce(0, { $0 + UTF8.width($1) }) > 120 { start.removeLast() }
    return String(start) + hexadecimal(UInt32(truncatingIfNeeded: Hashing.xxh3(name)))
  }

  static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  static func isHexadecimal(_ text: Substring) -> Bool {
    text.utf8.count == 8 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
