import Foundation
import Support
import Synchronization

/// Documents of files, directories and standard input, in order, a batch at a time.
///
/// Reading has two halves so that the costly one can run on many threads: ``FileBlocks`` cuts a file at document
/// boundaries, ``DocumentBlock/documents()`` checks, repairs and parses. ``next()`` is both, one file after the other.
///
/// Bad input is repaired or skipped, counted by name in the batch and, with ``ReaderOptions/isStrict``, fatal:
/// - `invalid_utf8_replaced`: each maximal ill-formed part of a sequence becomes U+FFFD (Unicode 15, section 3.9), as does
///   each sequence of a legacy character set that means nothing (`invalid_characters_replaced`); or the document is
///   dropped (`documents_invalid`), or the run fails, as ``ReaderOptions/invalid`` says;
/// - `json_lines_broken`, `json_texts_missing`: lines that are no JSON object or lack the text are skipped;
/// - `lone_surrogates_replaced`: half of an escaped surrogate pair becomes U+FFFD;
/// - `documents_too_long`: documents longer than ``ReaderOptions/longestDocument`` are skipped;
/// - `warc_lengths_wrong`, `warc_records_truncated`, `warc_bytes_skipped`: a record is read up to the next one, or as far
///   as it goes; what belongs to no record is passed over;
/// - `inputs_damaged`: files with truncated or corrupt gzip members (`gzip_members_damaged`) or zstd frames
///   (`zstd_frames_damaged`), read up to each break and from the next member or frame on, or with something else behind
///   them (`foreign_bytes_ignored`);
/// - `inputs_changed`: files that were written to while they were read: what was found at each place is used. A file that
///   another has replaced under its name meanwhile is read to its end as it was.
///
/// Repaired in silence, strict or not: one CR before LF, a missing last line end, a byte order mark (`bom_removed`),
/// blank lines between JSON lines (`blank_lines_skipped`). WARC records that hold no plain text are counted by what they
/// are: `warc_records_skipped_html`.
package final class DocumentReader {
  /// The files to read, directories and patterns resolved.
  package let inputs: DocumentInputs
  private var nextFile = 0
  private var current: FileBlocks?
  private var blocksRead = 0

  /// No inputs means standard input.
  package init(inputs: [String], options: ReaderOptions = ReaderOptions()) throws {
    self.inputs = try DocumentInputs(inputs, options: options)
  }

  package var files: [String] { inputs.files }

  /// Bytes taken from the files so far, as they lie on disk.
  package var bytesRead: Int { inputs.bytesRead }

  /// Size of all files on disk; nil when one of them is a pipe.
  package private(set) lazy var totalBytes: Int? = InputListing.size(of: files)

  /// The next documents, nil after the last.
  package func next() throws -> DocumentBatch? { try nextBlock()?.documents() }

  /// The next part of the input that holds whole documents, nil after the last.
  package func nextBlock() throws -> DocumentBlock? {
    while true {
      if var block = try current?.next() {
        block.number = blocksRead
        blocksRead += 1
        return block
      }
      guard nextFile < files.count else { return nil }
      current = try inputs.open(nextFile)
      nextFile += 1
    }
  }
}

/// The files behind a reader, which any thread may open.
package final class DocumentInputs: Sendable {
  package let files: [String]
  package let options: ReaderOptions
  private let taken = Atomic<Int>(0)
  /// Pipes whose first bytes ``mixFormats()`` has read.
  private let begun = Mutex<[Int: Begun]>([:])

  /// Handed from the thread that asks for the formats to the one that reads.
  private struct Begun: @unchecked Sendable { let blocks: FileBlocks }

  init(_ inputs: [String], options: ReaderOptions) throws {
    files = try InputListing.files(inputs)
    self.options = options
    // Before anything is written: hours later is a bad time to find a file that cannot be read.
    for file in files { try InputListing.checkReadable(file) }
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
      if InnerPipe.at(file) != nil { return true }
      // Standard input named again has nothing left.
      if file == "-" && files[..<index].contains("-") { continue }
      let format: DocumentFormat
      if Path.isRegularFile(file) {
        format = try FileBlocks(path: file, index: index, options: options) { _ in }.format
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
    return try FileBlocks(path: files[index], index: index, options: options) { [self] count in
      taken.add(count, ordering: .relaxed)
    }
  }
}
