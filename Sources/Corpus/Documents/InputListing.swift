import Foundation
import Support

/// The files behind the inputs of a command line.
package enum InputListing {
  /// Files stay in the order given.
  ///
  /// A directory stands for the files below it, in the order of their path's bytes, without those whose name,
  /// or whose directory's name, starts with a dot. Nothing means standard input.
  package static func files(_ inputs: [String]) throws -> [String] {
    var files: [String] = []
    for input in inputs.isEmpty ? ["-"] : inputs {
      if input == "-" || !Path.isDirectory(input) {
        if input != "-" && !Path.exists(input) {
          throw Failure(
            .inputOutput, "no such file or directory", file: input, remedy: "Check the spelling of the path")
        }
        files.append(input)
      } else {
        let found = try filesBelow(input)
        if found.isEmpty {
          throw Failure(.inputOutput, "the directory holds no files", file: input)
        }
        files += found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      }
    }
    return files
  }

  private static func filesBelow(_ directory: String) throws -> [String] {
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: directory) } catch {
      throw Failure(.inputOutput, "cannot list the directory", file: directory)
    }
    return try names.filter { !$0.hasPrefix(".") }.flatMap { name in
      let path = Path.join(directory, name)
      return Path.isDirectory(path) ? try filesBelow(path) : [path]
    }
  }

  /// A hash of the files' names and sizes and of how they are read: what is noted down about documents by their number
  /// holds for this listing only.
  package static func identity(of files: [String], names: [String], options: ReaderOptions) -> String {
    var text = "\(options.format?.rawValue ?? "auto") \(options.splitting.rawValue) \(options.textField)\n"
    text += "\(options.batchBytes)\n"
    for (file, name) in zip(files, names) { text += "\(size(of: [file]) ?? -1) \(name)\n" }
    return Hashing.hexadecimal(Hashing.xxh3(text))
  }

  /// Bytes on disk; nil when one of the files is a pipe.
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
