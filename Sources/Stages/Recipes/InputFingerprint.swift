import Corpus
import Foundation
import Support

/// Input files of one split: where they are, and a hash of their names and content.
struct InputFingerprint {
  /// As given to the commands: files and directories.
  let paths: [String]
  let key: String
  private let files: [(path: String, state: FileState, digest: String)]

  /// What shows, without reading a file, that it has not been written.
  ///
  /// Clocks jump and times can be set, so where the state differs the content decides.
  private struct FileState: Equatable {
    let size: Int
    let modified: Int
    /// Changes even when a program sets the time of modification.
    let changed: Int
    let inode: UInt64

    init(_ path: String) throws {
      var status = stat()
      guard stat(path, &status) == 0 else { throw SystemCall.failure("look at", path) }
      size = Int(status.st_size)
      modified = status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
      changed = status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
      inode = UInt64(status.st_ino)
    }
  }

  /// Hashes the files of a listing, which are regular ones: a recipe may read them more than once.
  static func take(of paths: [String], listing: InputListing) throws -> InputFingerprint {
    let files: [(path: String, state: FileState, digest: String)] = try listing.files.map { path in
      guard Path.isRegularFile(path) || !Path.exists(path) else {
        throw Failure(
          .usage, "is no regular file, and a recipe may read its inputs more than once", file: path,
          remedy: "Save what comes through the pipe as a file")
      }
      // The state comes first, so that a write during the reading is noticed later.
      let state = try FileState(path)
      return (path, state, try Self.contentHash(path))
    }
    let key = Hashing.hexadecimal(
      Hashing.xxh3(files.map { "\(JSONText.quote(Path.name(of: $0.path))) \($0.digest)\n" }.joined()))
    return InputFingerprint(paths: paths, key: key, files: files)
  }

  /// The same for a file or directory of documents among the options of a stage.
  static func contentHash(ofDocuments path: String) throws -> String {
    try take(of: [path], listing: InputListing([path])).key
  }

  /// Throws when a file is not what it was when it was hashed.
  func checkUnchanged() throws {
    for (path, state, digest) in files where try FileState(path) != state {
      if try Self.contentHash(path) == digest { continue }
      throw Failure(
        .badInput, "the file changed while the recipe ran", file: path,
        remedy: "Run the recipe again; what depends on the file is made anew")
    }
  }

  /// XXH3 of the hashes of the file's spans of 64 MiB, so that a signal interrupts the reading of a large file.
  static func contentHash(_ path: String) throws -> String {
    let file = try MappedFile(path)
    defer { withExtendedLifetime(file) {} }
    let span = 64 << 20
    var hash = Hashing.xxh3("\(file.bytes.count)")
    for start in stride(from: 0, to: file.bytes.count, by: span) {
      try Interruption.check()
      let end = min(file.bytes.count, start + span)
      hash = Hashing.xxh3(UnsafeRawBufferPointer(rebasing: file.bytes[start..<end]), seed: hash)
    }
    return Hashing.hexadecimal(hash)
  }

  /// The paths that a recipe names, relative to its directory, with patterns expanded as commands expand them.
  static func resolve(_ written: [Recipe.Input], in recipe: Recipe) throws -> [String] {
    try written.flatMap { input -> [String] in
      let path = Path.join(recipe.directory, input.path)
      do {
        try InputListing.checkName(path)
        if Path.exists(path) { return [path] }
        if InputListing.isPattern(input.path) { return try InputListing.paths(matching: path) }
      } catch let failure as Failure where failure.kind != .interrupted {
        throw Failure(
          failure.kind, "the input \(path): \(failure.message)", file: recipe.path, line: input.line,
          remedy: failure.remedy)
      }
      let names = (try? SystemCall.names(in: Path.directory(of: path))) ?? []
      let near = Suggestion.nearest(to: Path.name(of: path), among: names).map { "Did you mean \"\($0)\"? " }
      throw Failure(
        .inputOutput, "the input \(path) does not exist", file: recipe.path, line: input.line,
        remedy: (near ?? "") + "Inputs are relative to the directory of the recipe")
    }
  }
}
