import Foundation
import Support

/// A path with wildcards, expanded as in shells: `*`, `?` and `[…]` within a name, `**` for any number of
/// directories.
///
/// Names that start with a dot match only if the pattern has the dot as well.
struct PathPattern {
  /// Whether a directory that a wildcard has found is not entered.
  private let isSkipped: (String) -> Bool
  private let start: String
  private let parts: [String]

  init(_ pattern: String, skipping isSkipped: @escaping (String) -> Bool = { _ in false }) {
    self.isSkipped = isSkipped
    start = pattern.hasPrefix("/") ? "/" : ""
    parts = pattern.split(separator: "/").map(String.init).reduce(into: []) { parts, part in
      // Two in a row mean what one does.
      if part != "**" || parts.last != "**" { parts.append(part) }
    }
  }

  func matches() throws -> [String] {
    var seen: Set<String> = []
    return try matches(in: start, parts[...], &seen)
  }

  /// `seen`: the directories in which a rest of the pattern has been matched, because `**` may lead there in many ways.
  private func matches(in directory: String, _ parts: ArraySlice<String>, _ seen: inout Set<String>) throws
    -> [String]
  {
    guard seen.insert("\(parts.count) \(directory)").inserted else { return [] }
    try Interruption.check()
    guard let part = parts.first else { return [directory] }
    let rest = parts.dropFirst()
    let join = { (name: String) in directory.isEmpty ? name : Path.join(directory, name) }
    if part == "**" {
      // `**` matches no directory, or one directory followed by the same pattern. Links are not followed,
      // because they may form cycles.
      let inner = try directories(in: directory).flatMap { try matches(in: join($0), parts, &seen) }
      return try (rest.isEmpty ? [] : matches(in: directory, rest, &seen))
        + (rest.isEmpty ? files(in: directory).map(join) : []) + inner
    }
    guard part.contains(where: { "*?[".contains($0) }) else {
      return Path.exists(join(part)) ? try matches(in: join(part), rest, &seen) : []
    }
    return try names(in: directory).filter { fnmatch(part, $0, FNM_PERIOD) == 0 }
      .filter { rest.isEmpty || Path.isDirectory(join($0)) && !isSkipped(join($0)) }
      .flatMap { try matches(in: join($0), rest, &seen) }
  }

  private func names(in directory: String) throws -> [String] {
    try SystemCall.names(in: directory.isEmpty ? "." : directory)
  }

  private func files(in directory: String) throws -> [String] {
    try names(in: directory).filter {
      !$0.hasPrefix(".") && !Path.isDirectory(Path.join(directory.isEmpty ? "." : directory, $0))
    }
  }

  private func directories(in directory: String) throws -> [String] {
    try names(in: directory).filter { name in
      var status = stat()
      let path = Path.join(directory.isEmpty ? "." : directory, name)
      return !name.hasPrefix(".") && lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        && !isSkipped(path)
    }
  }
}
