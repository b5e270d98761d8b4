import Foundation
import Support

/// Expands the inputs of a command line to files.
package enum InputListing {
  /// Returns the files in the order of the inputs.
  ///
  /// A directory is replaced by all files below it, sorted by the bytes of their paths; files and directories
  /// whose name starts with a dot are left out. A name that does not exist and contains `*`, `?` or `[` is a
  /// pattern for files and directories, sorted in the same way; `**` matches any number of directories. No
  /// inputs means standard input.
  package static func files(_ inputs: [String]) throws -> [String] {
    var files: [String] = []
    for input in inputs.isEmpty ? ["-"] : inputs {
      if input == "-" {
        files.append(input)
      } else if Path.exists(input) {
        files += try filesAt(input)
      } else if input.contains(where: { "*?[".contains($0) }) {
        let found = try PathPattern(input).matches().flatMap { try filesAt($0) }
        if found.isEmpty {
          throw Failure(.inputOutput, "no file matches the pattern", file: input, remedy: spelling)
        }
        // A pattern may match both a directory and files in it.
        files += Set(found).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      } else {
        throw Failure(.inputOutput, "no such file or directory", file: input, remedy: spelling)
      }
    }
    return files
  }

  /// Expands paths to files and keeps pipes, in order.
  package static func sources(_ inputs: [InputSource]) throws -> [InputSource] {
    if inputs.isEmpty { return [.path("-")] }
    return try inputs.flatMap { input -> [InputSource] in
      guard case .path(let path) = input else { return [input] }
      return try files([path]).map { .path($0) }
    }
  }

  private static let spelling = "Check the spelling of the path"

  private static func filesAt(_ path: String) throws -> [String] {
    guard Path.isDirectory(path) else { return [path] }
    let found = try filesBelow(path, parents: [])
    if found.isEmpty {
      throw Failure(.inputOutput, "the directory holds no files", file: path)
    }
    return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// `parents` are the directories on the path to this one. They detect links that form a cycle.
  private static func filesBelow(_ directory: String, parents: [stat]) throws -> [String] {
    var status = stat()
    guard stat(directory, &status) == 0,
      !parents.contains(where: { $0.st_ino == status.st_ino && $0.st_dev == status.st_dev })
    else { return [] }
    return try SystemCall.names(in: directory).filter { !$0.hasPrefix(".") }.flatMap { name in
      let path = Path.join(directory, name)
      return Path.isDirectory(path) ? try filesBelow(path, parents: parents + [status]) : [path]
    }
  }

  /// Throws if a regular file cannot be opened, or if a name found in a directory is a broken link or not
  /// UTF-8.
  static func checkReadable(_ file: String) throws {
    if file == "-" || Path.exists(file) && !Path.isRegularFile(file) { return }
    if !Path.exists(file) && file.unicodeScalars.contains("\u{fffd}") {
      throw Failure(
        .inputOutput, "a name that is not UTF-8", file: file, remedy: "Rename the file or directory")
    }
    close(try SystemCall.open(file, O_RDONLY))
  }

  /// A hash of the names and sizes of the files and of the reader options.
  ///
  /// Results that refer to documents by number are valid only for inputs with the same identity.
  package static func identity(of files: [String], names: [String], options: ReaderOptions) -> String {
    var text = "\(options.format?.rawValue ?? "auto") \(options.splitting.rawValue) \(options.textField)\n"
    text += "\(options.encoding.name) \(options.invalid.rawValue)\n"
    text += "\(options.batchBytes) \(options.longestDocument)\n"
    for (file, name) in zip(files, names) { text += "\(size(of: [file]) ?? -1) \(name)\n" }
    return Hashing.hexadecimal(Hashing.xxh3(text))
  }

  /// The size of the files on disk; nil if one of them is a pipe.
  package static func size(of files: [String]) -> Int? {
    var total = 0
    for file in files {
      var status = stat()
      let isKnown = file == "-" ? fstat(STDIN_FILENO, &status) == 0 : stat(file, &status) == 0
      guard isKnown, status.st_mode & S_IFMT == S_IFREG else { return nil }
      total += Int(status.st_size)
    }
    return total
  }
}
