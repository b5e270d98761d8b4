import Foundation
import Support

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
  package convenience init(inputs: [String], options: ReaderOptions = ReaderOptions()) throws {
    try self.init(inputs: inputs.map { .path($0) }, options: options)
  }

  package init(inputs: [InputSource], options: ReaderOptions = ReaderOptions()) throws {
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
