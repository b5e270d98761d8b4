import Commands
import Corpus
import Foundation
import Support

/// What the methods share that read their input more than once: the input, of which pipes are spooled, and a directory
/// for their state.
final class DeduplicationJob {
  /// The inputs as the user named them.
  let names: [String]
  /// Where they are read: the spool for a pipe.
  private let files: [String]
  private let spools: [String]
  /// Of a job whose state nobody will find again.
  private let temporary: TemporaryDirectory?
  private let readerOptions: ReaderOptions
  let directory: ResumableDirectory
  /// Hash of the listing of the inputs: see ``InputListing/identity(of:names:options:)``.
  let listing: String
  /// What documents go through first, in every pass.
  let screen: DocumentScreen?
  /// How many of the files are read only to be known.
  let seenFiles: Int
  let options: RunOptions
  /// Bytes of memory for what grows with the corpus.
  let memory: Int
  let pool: WorkerPool
  private var hasPassed = false

  /// `settings` are all options that the state depends on, but for the screen.
  init(
    input: InputOptions, output: String?, workDirectory: String?, memory: ByteSize?, options: RunOptions,
    settings: String, screen: DocumentScreen? = nil, seenFiles: Int = 0
  ) throws {
    self.options = options
    self.seenFiles = seenFiles
    self.screen = screen
    self.memory = Self.bytes(of: memory)
    readerOptions = try input.readerOptions()
    pool = WorkerPool(threads: options.threadCount)
    let names = try InputListing.files(input.inputs)
    let place = try workDirectory.map { (path: $0, owner: nil) } ?? Self.temporaryDirectory(beside: output)
    let path = place.path
    temporary = place.owner
    // Pipes come first: what they say is part of what the state depends on.
    var (files, spools, spooled) = (names, [String](), "")
    do {
      for index in names.indices where names[index] == "-" || InputListing.size(of: [names[index]]) == nil {
        files[index] = "\(path).spool-\(index)"
        spools.append(files[index])
        spooled += try Self.spool(names[index], to: files[index], isStrict: input.strict)
      }
      (self.names, self.files, self.spools) = (names, files, spools)
      listing = InputListing.identity(of: files, names: names, options: readerOptions)
      directory = try ResumableDirectory(
        path, identity: "\(listing) \(spooled) \(settings) \(seenFiles) \(screen?.identity ?? "")\n",
        isTemporary: workDirectory == nil)
    } catch {
      for spool in spools { unlink(spool) }
      throw error
    }
  }

  /// A quarter of the machine's memory.
  private static let defaultMemory = Int(ProcessInfo.processInfo.physicalMemory / 4)

  /// What `--memory` gives.
  static func bytes(of memory: ByteSize?) -> Int { max(64 << 20, memory?.bytes ?? defaultMemory) }

  /// Beside an output its name depends on the output alone, so that the same command finds what it left when it was
  /// killed; for a stream nothing is left.
  static func temporaryDirectory(beside output: String?) throws -> (
    path: String, owner: TemporaryDirectory?
  ) {
    guard let output, output != "-", !Path.exists(output) || Path.isRegularFile(output) else {
      let owner = try TemporaryDirectory()
      return (Path.join(owner.path, "dedup"), owner)
    }
    let target = Path.resolvingLinks(output)
    return (Path.join(Path.directory(of: target), ".\(Path.name(of: target)).dedup"), nil)
  }

  /// Copies a pipe and returns a hash of it.
  private static func spool(_ name: String, to path: String, isStrict: Bool) throws -> String {
    let input = try InputFile(name)
    let output = try OutputFile(path)
    let hash = StreamingXXH64()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    while case let count = try input.read(into: buffer), count > 0 {
      try Interruption.check()
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
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

  func reader() throws -> DocumentReader { try DocumentReader(inputs: files, options: readerOptions) }

  /// One reading of the input, of which the first warns.
  func pass(_ label: String) throws -> DocumentPass {
    defer { hasPassed = true }
    return DocumentPass(
      reader: try reader(), options: options, label: label, screen: screen?.body, countsFrom: seenFiles,
      warns: !hasPassed)
  }

  /// The blocks after those that an earlier run has finished, whose digest is `digest`: what a pass takes as `next`.
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

  /// The job is done: what was temporary goes.
  func finish() { directory.finish() }

  deinit {
    for spool in spools { unlink(spool) }
  }
}
