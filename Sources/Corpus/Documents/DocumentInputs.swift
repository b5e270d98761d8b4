import Foundation
import Support
import Synchronization

/// The files behind a reader, which any thread may open.
package final class DocumentInputs: Sendable {
  /// The names of the files, one for each source.
  package let files: [String]
  package let options: ReaderOptions
  private let sources: [InputSource]
  private let taken = Atomic<Int>(0)
  /// Pipes whose first bytes ``mixFormats()`` has read.
  private let begun = Mutex<[Int: Begun]>([:])

  /// Handed from the thread that asks for the formats to the one that reads.
  private struct Begun: @unchecked Sendable { let blocks: FileBlocks }

  init(_ inputs: [InputSource], options: ReaderOptions) throws {
    sources = try InputListing.sources(inputs)
    files = sources.map(\.name)
    self.options = options
    // Before anything is written: hours later is a bad time to find a file that cannot be read.
    for case .path(let file) in sources { try InputListing.checkReadable(file) }
  }

  /// Bytes taken from all files so far, as they lie on disk.
  package var bytesRead: Int { taken.load(ordering: .relaxed) }

  /// Whether the files hold documents in more than one format, by their names and first lines.
  ///
  /// Pipes are opened for that, all at once; that of another stage of a recipe, which may wait for its turn, counts as
  /// another format.
  package func mixFormats() throws -> Bool {
    if files.count < 2 || options.format != nil { return false }
    var options = options
    options.batchBytes = 1 << 12
    var first: DocumentFormat?
    for (index, file) in files.enumerated() {
      if sources[index].pipe != nil { return true }
      // Standard input named again has nothing left.
      if file == "-" && files[..<index].contains("-") { continue }
      let format: DocumentFormat
      if Path.isRegularFile(file) {
        format = try FileBlocks(sources[index], index: index, options: options) { _ in }.format
      } else {
        let blocks = try open(index)
        begun.withLock { $0[index] = Begun(blocks: blocks) }
        format = blocks.format
      }
      if let first, first != format { return true }
      first = format
    }
    return false
  }

  package func open(_ index: Int) throws -> FileBlocks {
    if let begun = begun.withLock({ $0.removeValue(forKey: index) }) { return begun.blocks }
    return try FileBlocks(sources[index], index: index, options: options) { [self] count in
      taken.add(count, ordering: .relaxed)
    }
  }
}
