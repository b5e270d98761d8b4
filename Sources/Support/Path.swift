import Foundation

/// Functions on paths, which are plain strings.
package enum Path {
  package static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  package static func name(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  package static func join(_ directory: String, _ name: String) -> String {
    name.hasPrefix("/") ? name : directory.hasSuffix("/") ? directory + name : directory + "/" + name
  }

  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  package static func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  package static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  package static func isRegularFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// The target of a symbolic link, which need not exist yet; any other path unchanged.
  ///
  /// A shell that writes to a broken link creates its target.
  package static func resolvingLinks(_ path: String) -> String {
    var path = path
    // As many as the system follows.
    for _ in 0..<40 {
      guard isLink(path) else { return path }
      if let target = realpath(path, nil) {
        defer { free(target) }
        return String(cString: target)
      }
      // The links of /proc to pipes lead to no path.
      guard !exists(path), errno == ENOENT,
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
      else { return path }
      path = join(directory(of: path), target)
    }
    return path
  }
}
