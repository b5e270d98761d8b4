import Corpus
import Foundation
import Support

/// What the methods share that read their input more than once: the input, with pipes copied to files, and a directory
/// for their state.
final class DeduplicationJob {
  /// The inputs as the user named them.
  let names: [String]
  /// What is read instead: for a pipe, its copy.
  private let files: [String]
  private let spools: [String]
  private let skipped: [InputListing.Skipped]
  /// Holds the directory of a job whose state no later run can find.
  private let temporary: TemporaryDirectory?
  private let readerOptions: ReaderOptions
  let directory: ResumableDirectory
  /// Hash of the listing of the inputs: see ``InputListing/identity(of:names:options:)``.
  let listing: String
  /// What every pass drops or marks first.
  let decontamination: DecontaminationFilter?
  /// How many of the files count as read before the input.
  let seenFiles: Int
  let pool: WorkerPool
  private let settings: StageSettings
  private var hasPassed = false

  /// Opens the state of a job, and copies the inputs that are pipes.
  ///
  /// `identity` names all options that the state depends on, but for the input and the decontamination. Without a work
  /// directory the state lives beside the output and is removed at the end.
  static func open(
    _ options: DedupOptions, identity: String, workDirectory: String?,
    decontamination: DecontaminationFilter?
  ) throws -> DeduplicationJob {
    let location =
      try workDirectory.map { (path: $0, owner: nil) }
      ?? temporaryDirectory(beside: options.output.sink.name)
    let (sources, skipped) = try InputListing.sources(options.allInput.sources)
    let names = sources.map(\.name)
    let seenFiles = try options.seenFileCount()
    var (files, spools, spooled) = (names, [String](), "")
    do {
      // Pipes come first: their content is part of what the state depends on.
      for index in names.indices where names[index] == "-" || InputListing.size(of: [names[index]]) == nil {
        let copy = "\(location.path).spool-\(index)"
        TemporaryName.removeLeftovers(of: copy)
        files[index] = TemporaryName.path(for: copy, .file)
        spools.append(files[index])
        spooled += try spool(sources[index], to: files[index], isStrict: options.input.options.isStrict)
      }
      let listing = InputListing.identity(of: files, names: names, options: options.input.options)
      let directory = try ResumableDirectory(
        location.path,
        identity: "\(listing) \(spooled) \(identity) \(seenFiles) \(decontamination?.identity ?? "")\n",
        isTemporary: workDirectory == nil)
      return DeduplicationJob(
        options, names: names, files: files, skipped: skipped, spools: spools, temporary: location.owner,
        directory: directory,
        listing: listing, seenFiles: seenFiles, decontamination: decontamination)
    } catch {
      for spool in spools { unlink(spool) }
      throw error
    }
  }

  private init(
    _ options: DedupOptions, names: [String], files: [String], skipped: [InputListing.Skipped],
    spools: [String],
    temporary: TemporaryDirectory?, directory: ResumableDirectory, listing: String, seenFiles: Int,
    decontamination: DecontaminationFilter?
  ) {
    (self.names, self.files, self.spools, self.temporary) = (names, files, spools, temporary)
    (self.directory, self.listing, self.seenFiles) = (directory, listing, seenFiles)
    self.skipped = skipped
    self.decontamination = decontamination
    var readerOptions = options.input.options
    readerOptions.foundFiles.formUnion(Set(names).subtracting(options.allInput.sources.map(\.name)))
    (self.readerOptions, settings) = (readerOptions, options.settings)
    pool = WorkerPool(threads: options.settings.threads)
  }

  deinit {
    for spool in spools {
      unlink(spool)
      HalfWritten.remove(spool)
    }
  }

  /// Where temporary state lives.
  ///
  /// Beside an output, the name depends on the output alone, so that the same command finds the state of a killed run. For
  /// a stream it is a new directory, which its owner removes.
  static func temporaryDirectory(beside output: String?) throws -> (
    path: String, owner: TemporaryDirectory?
  ) {
    guard let output, output != "-", !Path.exists(output) || Path.isRegularFile(output) else {
      let owner = try TemporaryDirectory()
      return (Path.join(owner.path, "dedup"), owner)
    }
    return (stateDirectory(beside: output), nil)
  }

  static func stateDirectory(beside output: String) -> String {
    let target = Path.resolvingLinks(output)
    return Path.join(Path.directory(of: target), ".\(Path.name(of: target)).dedup")
  }

  /// Copies a pipe and returns a hash of it.
  private static func spool(_ source: InputSource, to path: String, isStrict: Bool) throws -> String {
    let input = try InputFile(source)
    let output = try OutputFile(path)
    HalfWritten.insert(path)
    let hash = StreamingXXH64()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    while case let count = try input.read(into: buffer), count > 0 {
      try Interruption.check()
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      if output.bytesWritten == 0 { try FileFormat.checkText(bytes, file: source.name) }
      hash.update(bytes)
      try output.write(bytes)
    }
    if let damage = input.damage {
      if isStrict { throw Failure(.badInput, damage.reason, file: damage.file, offset: damage.offset) }
      Log.warn("\(damage). What came before it was read")
    }
    try output.finish()
    return Hashing.hexadecimal(hash.digest)
  }

  func reader() throws -> DocumentReader {
    try DocumentReader(inputs: files.map { .path($0) }, options: readerOptions, skipped: skipped)
  }

  /// One pass over the input; only the first prints warnings.
  func pass(_ label: String) throws -> DocumentPass {
    defer { hasPassed = true }
    return DocumentPass(
      reader: try reader(), settings: settings, label: label, decontamination: decontamination,
      firstCountedFile: seenFiles, printsWarnings: !hasPassed)
  }

  /// The `next` of a pass that skips the blocks that an earlier run has finished, whose digest was `expected`.
  static func blocks(of reader: DocumentReader, after finished: Int, digest expected: UInt64)
    -> () throws -> DocumentBlock?
  {
    var digest: UInt64 = 0
    return {
      while let block = try reader.nextBlock() {
        if block.number >= finished { return block }
        digest = DocumentBlock.chain(digest, block.digest)
        if block.number + 1 == finished && digest != expected { throw hasChanged }
      }
      return nil
    }
  }

  static var hasChanged: Failure {
    Failure(
      .badInput, "the input has changed since the work directory was made",
      remedy: "Remove the work directory and run again")
  }

  /// Removes what was temporary.
  func finish() { directory.finish() }
}
