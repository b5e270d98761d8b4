import Foundation
import Synchronization

/// The files of a command that are none of its inputs: what it writes, and what it reads for another purpose than its
/// documents, such as its tokenizer.
///
/// A command registers them when it starts, before it lists its inputs. A directory that holds one of them is read
/// without it; naming an output as an input is refused.
package enum OwnFiles {
  /// A file of a command, and what the user calls it, such as `--output`.
  package struct Entry: Sendable {
    package let path: String
    package let name: String
    package let role: Role

    package enum Role: Sendable {
      case output, option, input
      /// An output directory that holds the files of one command alone, and appears as a whole.
      case whole
    }

    package var isOutput: Bool { role == .output || role == .whole }

    package static func output(_ path: String?, _ name: String = OwnFiles.outputName) -> [Entry] {
      path.map { [Entry(path: $0, name: name, role: .output)] } ?? []
    }

    /// A directory that appears as a whole, such as a dataset: no other output may lie in it.
    package static func directory(_ path: String?, _ name: String = OwnFiles.outputName) -> [Entry] {
      path.map { [Entry(path: $0, name: name, role: .whole)] } ?? []
    }

    /// A file that is read as a whole before the work.
    package static func option(_ path: String?, _ name: String) -> [Entry] {
      path.map { [Entry(path: $0, name: name, role: .option)] } ?? []
    }

    /// A file that is read while the output is written. Documents need none: their listing looks at the outputs.
    package static func input(_ path: String) -> [Entry] {
      [Entry(path: path, name: "an input", role: .input)]
    }
  }

  /// Where a file stands that may not exist yet: the directory that it will be in, and its name there.
  private struct Place: Hashable {
    let directory: FileIdentity?
    let name: String
  }

  private struct Known: Sendable {
    var entries: [(entry: Entry, place: Place, identity: FileIdentity?)] = []
  }

  package static let outputName = "--output"

  private static let known = Mutex(Known())

  /// Adds files; throws where two outputs, or an output and what is read, are the same file, or where an output lies in
  /// a dataset that is read.
  package static func register(_ entries: [Entry]) throws {
    for entry in entries where entry.role != .input {
      let isStandardOutput = entry.isOutput && (entry.path == "-" || entry.path == "/dev/stdout")
      let isOutput = entry.name == Self.outputName
      let entry =
        isStandardOutput && isOutput
        ? Entry(path: entry.path, name: "standard output", role: .output) : entry
      if entry.isOutput && !isStandardOutput { try checkPlace(of: entry) }
      let identity = isStandardOutput ? FileIdentity(regularFile: STDOUT_FILENO) : regularIdentity(entry.path)
      let place = isStandardOutput ? Place(directory: nil, name: "-") : place(of: entry.path)
      try known.withLock { known in
        for other in known.entries where other.place == place || identity != nil && other.identity == identity
        {
          let (one, two) = (other.entry, entry)
          if !one.isOutput && !two.isOutput { continue }
          let file = isStandardOutput ? nil : entry.path
          if one.isOutput && two.isOutput {
            throw Failure(
              .usage, "\(one.name) and \(two.name) are the same file", file: file,
              remedy: "Give each output its own name")
          }
          throw Failure(
            .usage, "is both \(one.isOutput ? two.name : one.name) and \(one.isOutput ? one.name : two.name)",
            file: file, remedy: "Write to another file: what is read would be lost")
        }
        for other in known.entries where entry.isOutput && other.entry.isOutput {
          for (inner, outer) in [(entry, other.entry), (other.entry, entry)]
          where outer.role == .whole && lies(inner.path, in: outer.path) {
            throw Failure(
              .usage, "\(inner.name) lies in \(outer.name)", file: inner.path,
              remedy: "Write it beside \(outer.path), which holds its own files alone")
          }
        }
        known.entries.append((entry, place, identity))
      }
    }
    for input in entries where input.role == .input {
      try checkIsNoOutput(input.path)
      try checkHoldsNoOutput(input.path)
    }
  }

  /// Throws where an output would lie among the files of a dataset or a checkpoint that is there already.
  private static func checkPlace(of entry: Entry) throws {
    let directory = Path.directory(of: Path.resolvingLinks(entry.path))
    func holds(_ name: String, _ mark: String) -> Bool {
      let file = Path.join(directory, name)
      guard Path.isRegularFile(file), let mapped = try? MappedFile(file) else { return false }
      return withExtendedLifetime(mapped) {
        ByteSearch.first(Array(mark.utf8), in: UnsafeRawBufferPointer(rebasing: mapped.bytes.prefix(1 << 16)))
          != nil
      }
    }
    let kind =
      holds("index.json", "\"pkm-dataset\"")
      ? "dataset" : holds("trainer.json", "\"code_version\"") ? "checkpoint" : nil
    guard let kind else { return }
    throw Failure(
      .usage, "\(entry.name) lies in a \(kind), which holds its own files alone", file: entry.path,
      remedy: "Write to another directory")
  }

  /// Whether a path, which may not exist yet, lies below a directory.
  private static func lies(_ path: String, in directory: String) -> Bool {
    func resolved(_ path: String) -> String {
      var (rest, above) = ([String](), Path.resolvingLinks(path))
      while above.utf8.count > 1 && above.hasSuffix("/") { above.removeLast() }
      while !Path.exists(above), case let next = Path.directory(of: above), next != above {
        rest.append(Path.name(of: above))
        above = next
      }
      let base = realpath(above, nil).map { pointer in
        defer { free(pointer) }
        return String(cString: pointer)
      }
      return rest.reversed().reduce(base ?? above) { Path.join($0, $1) }
    }
    var outer = resolved(directory)
    if !outer.hasSuffix("/") { outer += "/" }
    return resolved(path).hasPrefix(outer)
  }

  /// Throws where an output lies among the files of a dataset, which are known by its index.
  private static func checkHoldsNoOutput(_ input: String) throws {
    guard Path.exists(Path.join(input, "index.json")), let identity = FileIdentity(input),
      let own = known.withLock({ known in
        known.entries.first { $0.entry.isOutput && $0.place.directory == identity }?.entry
      })
    else { return }
    throw Failure(
      .usage, "\(own.name) lies in a dataset that is an input", file: own.path,
      remedy: "Write to another directory: a dataset holds its own files alone")
  }

  /// Throws where an input is an output, or what standard output or error has been redirected to.
  package static func checkIsNoOutput(_ input: String) throws {
    let own = input == "-" ? nil : entry(at: input)
    guard own?.isOutput == true || isStandardStream(input) else { return }
    throw Failure(
      .usage, "is both an input and \(own?.name ?? "what standard output or standard error goes to")",
      file: input,
      remedy: "Write to another file: this one would be read while it is written")
  }

  /// Forgets everything: for tests.
  package static func removeAll() { known.withLock { $0 = Known() } }

  /// The file of the command that this path stands for, or in which it lies; nil for any other file.
  package static func entry(at path: String) -> Entry? {
    let (place, identity) = (place(of: path), FileIdentity(path))
    return known.withLock { known in
      known.entries.first { $0.place == place || identity != nil && $0.identity == identity }?.entry
    }
  }

  /// Whether the file is the one that standard output or standard error has been redirected to.
  package static func isStandardStream(_ path: String) -> Bool {
    guard let identity = path == "-" ? FileIdentity(regularFile: STDIN_FILENO) : FileIdentity(path) else {
      return false
    }
    return identity == FileIdentity(regularFile: STDOUT_FILENO)
      || identity == FileIdentity(regularFile: STDERR_FILENO)
  }

  /// Devices may be given to several options, as /dev/null is.
  private static func regularIdentity(_ path: String) -> FileIdentity? {
    Path.isRegularFile(path) || Path.isDirectory(path) ? FileIdentity(path) : nil
  }

  private static func place(of path: String) -> Place {
    var path = Path.resolvingLinks(path)
    while path.utf8.count > 1 && path.hasSuffix("/") { path.removeLast() }
    if Path.exists(path) && !Path.isRegularFile(path) && !Path.isDirectory(path) {
      return Place(directory: nil, name: UUID().uuidString)
    }
    let directory = Path.directory(of: path)
    // A directory that does not exist yet has no identity; its path, without links, stands for it.
    if let identity = FileIdentity(directory) { return Place(directory: identity, name: Path.name(of: path)) }
    return Place(directory: nil, name: URL(fileURLWithPath: path).standardizedFileURL.path)
  }
}

extension [OwnFiles.Entry] {
  package static func output(_ path: String?, _ name: String = OwnFiles.outputName) -> Self {
    OwnFiles.Entry.output(path, name)
  }
  package static func directory(_ path: String?, _ name: String = OwnFiles.outputName) -> Self {
    OwnFiles.Entry.directory(path, name)
  }
  package static func option(_ path: String?, _ name: String) -> Self { OwnFiles.Entry.option(path, name) }
  package static func inputs(_ paths: [String]) -> Self { paths.flatMap { OwnFiles.Entry.input($0) } }
}
