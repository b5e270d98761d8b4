import Foundation
import Support
import Synchronization

/// The input files of a run. Any thread may open one.
package final class DocumentInputs: Sendable {
  /// The names of the files, one for each source.
  package let files: [String]
  /// What was found in directories and is no input.
  package let skipped: [InputListing.Skipped]
  package let options: ReaderOptions
  private let sources: [InputSource]
  /// The sources that were found in a directory or by a pattern.
  private let found: Set<Int>
  private let taken = Atomic<Int>(0)
  /// Pipes whose first bytes ``mixFormats()`` has already read.
  private let openedPipes = Mutex<[Int: OpenedPipe]>([:])

  /// Handed over from the thread that detects the formats to the thread that reads.
  private struct OpenedPipe: @unchecked Sendable { let blocks: BlockReader }

  /// `skipped`: what a listing before has skipped.
  init(_ inputs: [InputSource], options: ReaderOptions, skipped: [InputListing.Skipped] = []) throws {
    let listing = try InputListing.sources(inputs)
    let sources = listing.sources
    (self.sources, self.skipped) = (sources, skipped + listing.skipped)
    files = sources.map(\.name)
    self.options = options
    let named = Set(inputs.map(\.name))
    found = Set(
      sources.indices.filter { index in
        let name = sources[index].name
        return options.foundFiles.contains(name)
          || sources[index].pipe == nil && name != "-" && !named.contains(name)
      })
    // Fail before any work is done: hours later would be a bad time to find an unreadable file.
    for case .path(let file) in sources { try InputListing.checkReadable(file) }
    for case .path(let file) in inputs where Path.isRegularFile(file) && !options.foundFiles.contains(file) {
      try FileFormat.checkBeginning(of: file, options: options)
    }
  }

  /// Bytes read from all files so far, as they are on disk.
  package var bytesRead: Int { taken.load(ordering: .relaxed) }

  /// Whether the files contain documents in more than one format, judged by their names and first lines.
  ///
  /// This opens all pipes at once. A pipe from another stage of a recipe, which may not have started yet,
  /// counts as another format.
  package func mixFormats() throws -> Bool {
    if files.count < 2 || options.format != nil { return false }
    var options = options
    options.batchBytes = 1 << 12
    var first: DocumentFormat?
    for (index, file) in files.enumerated() {
      if sources[index].pipe != nil { return true }
      // Standard input is already used up if it is named a second time.
      if file == "-" && files[..<index].contains("-") { continue }
      let blocks: BlockReader
      if Path.isRegularFile(file) {
        blocks = try BlockReader(
          sources[index], index: index, options: options, isFound: found.contains(index)
        ) { _ in }
      } else {
        blocks = try open(index)
        openedPipes.withLock { $0[index] = OpenedPipe(blocks: blocks) }
      }
      if blocks.foreign != nil { continue }
      let format = blocks.format
      if let first, first != format { return true }
      first = format
    }
    return false
  }

  /// The format of a regular file, judged by its name or its beginning.
  package static func format(of file: String, options: ReaderOptions) throws -> DocumentFormat {
    var options = options
    options.batchBytes = 1 << 12
    return try BlockReader(.path(file), index: 0, options: options, isFound: false) { _ in }.format
  }

  package func open(_ index: Int) throws -> BlockReader {
    if let opened = openedPipes.withLock({ $0.removeValue(forKey: index) }) { return opened.blocks }
    return try BlockReader(
      sources[index], index: index, options: options, isFound: found.contains(index)
    ) { [self] count in
      taken.add(count, ordering: .relaxed)
    }
  }
}
