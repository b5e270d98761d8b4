import Foundation
import Support

/// Expands inputs to files: the one listing of all commands, recipes and evaluation sets.
package struct InputListing {
  /// The files in the order of the inputs.
  package private(set) var files: [String] = []
  /// What was found in a directory, or by a pattern, and is no input.
  package private(set) var skipped: [Skipped] = []

  package struct Skipped: Equatable, Sendable {
    package let path: String
    package let reason: Reason

    package enum Reason: Equatable, Sendable {
      /// A named pipe, a socket or a device: reading one that nobody writes to would never end.
      case special
      /// What this command writes, or reads as an option, or what its standard output or error goes to.
      case own(String)
      /// A dataset, or the work directory of a recipe.
      case made(String)
      /// A file that belongs to another split of a recipe.
      case heldOut(String)
      /// A file that is listed already, under this name.
      case repeated(String)
    }

    /// What is said about it.
    package var description: String {
      switch reason {
      case .special: "\(path): neither a file nor a directory, skipped"
      case .own(let name): "\(path): is \(name) of this command and no input, skipped"
      case .made(let what): "\(path): \(what) and no text, skipped"
      case .heldOut(let split): "\(path): belongs to the split \(split) and is left out of this one"
      case .repeated(let first):
        path == first
          ? "\(path): is given more than once and read once"
          : "\(path): is the same file as \(first), read once"
      }
    }

    package var count: CountName {
      switch reason {
      case .special: .inputsSkippedSpecial
      case .own: .inputsSkippedOwn
      case .made: .inputsSkippedMade
      case .heldOut: .inputsSkippedHeldOut
      case .repeated: .inputsSkippedRepeated
      }
    }
  }

  /// Lists the inputs; none means standard input.
  ///
  /// A directory is replaced by all files below it, sorted by the bytes of their paths. Each directory is entered once,
  /// however many links lead to it. Left out are names that start with a dot and, with a word, what is none of our
  /// inputs: see ``Skipped``. A name that does not exist and contains `*`, `?` or `[` is a pattern for files and
  /// directories, sorted in the same way; `**` matches any number of directories. A pipe or a device is read where the
  /// user names it. An input that is also an output is refused. Each file is read once, however many inputs, links and hard
  /// links lead to it.
  package init(_ inputs: [String]) throws {
    for input in inputs.isEmpty ? ["-"] : inputs { try add(input) }
  }

  /// What was listed more than once.
  package var repeated: [Skipped] {
    skipped.filter { if case .repeated = $0.reason { true } else { false } }
  }

  private init() {}

  /// The files of the inputs, where nobody needs to hear of what was skipped.
  package static func files(_ inputs: [String]) throws -> [String] { try InputListing(inputs).files }

  /// The first names of the regular files so far.
  private var listed: [FileIdentity: String] = [:]

  private mutating func append(_ found: [String]) {
    for file in found {
      if Path.isRegularFile(file), let identity = FileIdentity(file) {
        if let first = listed[identity] {
          skipped.append(Skipped(path: file, reason: .repeated(first)))
          continue
        }
        listed[identity] = file
      }
      files.append(file)
    }
  }

  private mutating func add(_ input: String) throws {
    try Self.checkName(input)
    if input == "-" {
      try OwnFiles.checkIsNoOutput(input)
      files.append(input)
    } else if Path.exists(input) {
      try add(named: input)
    } else if Self.isPattern(input) {
      // A pattern may match both a directory and files in it.
      var below = Set<String>()
      var walk = Walk()
      let found = try Self.matches(of: input, &walk)
      for path in found { below.formUnion(try walk.files(at: path)) }
      skipped += walk.skipped
      if below.isEmpty { throw Self.noMatch(input) }
      append(below.sorted(by: Self.precedes))
    } else {
      throw Failure(.inputOutput, "no such file or directory", file: input, remedy: Self.spelling)
    }
  }

  private mutating func add(named path: String) throws {
    try OwnFiles.checkIsNoOutput(path)
    guard Path.isDirectory(path) else { return append([path]) }
    if let made = Walk.whatMade(path) {
      throw Failure(
        .usage, "\(made) and no text", file: path, remedy: "Give the text, or pkm-data decode a dataset first"
      )
    }
    var walk = Walk()
    let found = try walk.files(below: path)
    skipped += walk.skipped
    if found.isEmpty { throw Failure(.inputOutput, "the directory holds no files", file: path) }
    append(found.sorted(by: Self.precedes))
  }

  /// The paths that a pattern matches, files and directories, in order; throws if there are none.
  package static func paths(matching pattern: String) throws -> [String] {
    var walk = Walk()
    let found = try matches(of: pattern, &walk).filter { !walk.isSkipped(directory: $0) }
    if found.isEmpty { throw noMatch(pattern) }
    return found
  }

  private static func matches(of pattern: String, _ walk: inout Walk) throws -> [String] {
    var skipped: Set<String> = []
    let found = try PathPattern(pattern) { directory in
      if Walk.reason(toSkipDirectory: directory) == nil { return false }
      skipped.insert(directory)
      return true
    }.matches()
    for directory in skipped.sorted() { _ = walk.isSkipped(directory: directory) }
    return Set(found).sorted(by: precedes)
  }

  package static func isPattern(_ input: String) -> Bool { input.contains { "*?[".contains($0) } }

  /// A name ends at a NUL for the system, and would mean another file.
  package static func checkName(_ input: String) throws {
    if input.utf8.contains(0) || input.isEmpty {
      throw Failure(
        .usage,
        input.isEmpty ? "an input has an empty name" : "the name of an input contains a NUL character",
        file: input.isEmpty ? nil : input, remedy: spelling)
    }
  }

  /// Leaves out the files of a set, which belong to another split.
  package mutating func leaveOut(_ held: [FileIdentity: String]) {
    files.removeAll { file in
      guard file != "-", let split = FileIdentity(file).flatMap({ held[$0] }) else { return false }
      skipped.append(Skipped(path: file, reason: .heldOut(split)))
      return true
    }
  }

  /// The files without those that stand for one before them, which are named and counted.
  package static func distinct(_ files: [String], _ summary: inout Summary) -> [String] {
    var listing = InputListing()
    listing.append(files)
    for one in listing.skipped {
      Log.warn(one.description)
      summary.add(one.count)
    }
    return listing.files
  }

  private static let spelling = "Check the spelling of the path"

  private static func noMatch(_ pattern: String) -> Failure {
    Failure(.inputOutput, "no file matches the pattern", file: pattern, remedy: spelling)
  }

  private static func precedes(_ one: String, _ other: String) -> Bool {
    one.utf8.lexicographicallyPrecedes(other.utf8)
  }
}

/// A walk through directories that enters each of them once.
private struct Walk {
  private(set) var skipped: [InputListing.Skipped] = []
  private var entered: Set<FileIdentity> = []

  /// What a path stands for that a pattern has matched.
  mutating func files(at path: String) throws -> [String] {
    if Path.isDirectory(path) { return isSkipped(directory: path) ? [] : try files(below: path) }
    return isSkipped(file: path) ? [] : [path]
  }

  mutating func files(below directory: String) throws -> [String] {
    guard let identity = FileIdentity(directory), entered.insert(identity).inserted else { return [] }
    try Interruption.check()
    var (files, directories, links): ([String], [String], [String]) = ([], [], [])
    for name in try SystemCall.names(in: directory) where !name.hasPrefix(".") {
      let path = Path.join(directory, name)
      if !Path.isDirectory(path) {
        if !isSkipped(file: path) { files.append(path) }
      } else if Path.isLink(path) {
        links.append(path)
      } else {
        directories.append(path)
      }
    }
    // Links last: a directory has the path that no link is on, if there is one.
    for path in directories.sorted() + links.sorted() where !isSkipped(directory: path) {
      files += try self.files(below: path)
    }
    return files
  }

  private mutating func isSkipped(file path: String) -> Bool {
    // A broken link stays, and is an error where it is opened.
    if Path.exists(path) && !Path.isRegularFile(path) { return skip(path, .special) }
    if let own = OwnFiles.entry(at: path) { return skip(path, .own(own.name)) }
    if OwnFiles.isStandardStream(path) { return skip(path, .own("standard output or standard error")) }
    return false
  }

  mutating func isSkipped(directory path: String) -> Bool {
    Self.reason(toSkipDirectory: path).map { skip(path, $0) } ?? false
  }

  static func reason(toSkipDirectory path: String) -> InputListing.Skipped.Reason? {
    if let own = OwnFiles.entry(at: path), own.isOutput { return .own(own.name) }
    return whatMade(path).map { .made($0) }
  }

  private mutating func skip(_ path: String, _ reason: InputListing.Skipped.Reason) -> Bool {
    let one = InputListing.Skipped(path: path, reason: reason)
    if !skipped.contains(one) { skipped.append(one) }
    return true
  }

  /// What a directory is that one of our commands has made; nil for any other.
  static func whatMade(_ path: String) -> String? {
    func begins(_ name: String, with mark: String) -> Bool {
      let file = Path.join(path, name)
      guard Path.isRegularFile(file), let descriptor = try? SystemCall.open(file, O_RDONLY) else {
        return false
      }
      defer { close(descriptor) }
      var bytes = [UInt8](repeating: 0, count: 1 << 10)
      let count =
        (try? bytes.withUnsafeMutableBytes { try SystemCall.read(descriptor, into: $0, path: file) }) ?? 0
      return String(decoding: bytes[..<count], as: UTF8.self).contains(mark)
    }
    if begins("index.json", with: "\"pkm-dataset\"") { return "is a dataset of token ids" }
    if begins("stages.json", with: "\"pkm-work\"") { return "is the work directory of a recipe" }
    if begins("job", with: "pkm job 1\n") { return "is a work directory of dedup" }
    return nil
  }
}

extension InputListing {
  /// Expands paths to files and keeps pipes, in order; none means standard input.
  package static func sources(_ inputs: [InputSource]) throws -> (sources: [InputSource], skipped: [Skipped])
  {
    if inputs.isEmpty { return ([.path(try files([])[0])], []) }
    var sources: [InputSource] = []
    var listing = InputListing()
    for input in inputs {
      guard case .path(let path) = input else {
        sources.append(input)
        continue
      }
      let before = listing.files.count
      try listing.add(path)
      sources += listing.files[before...].map { .path($0) }
    }
    return (sources, listing.skipped)
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
