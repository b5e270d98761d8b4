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

  /// The target of a symbolic link that is not broken; any other path unchanged.
  package static func resolvingLinks(_ path: String) -> String {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK, let target = realpath(path, nil)
    else {
      return path
    }
    defer { free(target) }
    return String(cString: target)
  }
}
