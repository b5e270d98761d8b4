import Foundation
import Support

/// Reads the documents of files, directories and standard input, in order, one batch at a time.
///
/// Reading has two steps, so that the expensive one can run on many threads: ``BlockReader`` splits a file at
/// document boundaries, and ``DocumentBlock/documents()`` validates, repairs and parses. ``next()`` does
/// both, one file after the other.
///
/// Bad input is repaired or skipped and counted by name in the batch; with ``ReaderOptions/isStrict`` it is
/// an error:
/// - `invalid_utf8_replaced`: each maximal ill-formed subsequence becomes U+FFFD (Unicode 15, section 3.9),
///   and so does each sequence that is invalid in a legacy character set (`invalid_characters_replaced`).
///   Depending on ``ReaderOptions/invalid`` the document is dropped instead (`documents_invalid`), or the run
///   fails;
/// - `json_lines_broken`, `json_texts_missing`: lines that are not a JSON object or have no text are skipped;
/// - `lone_surrogates_replaced`: half of an escaped surrogate pair becomes U+FFFD;
/// - `documents_too_long`: documents longer than ``ReaderOptions/longestDocument`` are skipped;
/// - `warc_lengths_wrong`, `warc_records_truncated`, `warc_bytes_skipped`: a record is read up to the next
///   one or to the end of the file; bytes that belong to no record are skipped;
/// - `http_bodies_truncated`, `http_bodies_damaged`: the body of a response ends before its chunks, its compressed
///   stream or its Content-Length does, or a chunk, a checksum or the stream is wrong. What could be decoded is kept;
///   if nothing was, the bytes are. `warc_records_skipped_unknown_coding`: a body in a coding that is not supported;
/// - `inputs_damaged`: files with truncated or corrupt gzip members (`gzip_members_damaged`) or zstd frames
///   (`zstd_frames_damaged`). Everything before the damage is read, or all if only a checksum is wrong, and reading
///   resumes at the next member or frame. Files with other data after the last member or frame also count
///   (`foreign_bytes_ignored`);
/// - `inputs_not_text_skipped`: files in directories and patterns that are no text (``FileFormat``); a file that the
///   user has named is an error;
///   A Parquet file that cannot be opened, its footer damaged, is no text in this sense. Damage further inside costs the
///   rest of the row group (`parquet_row_groups_damaged`), and counts as `inputs_damaged`;
/// - `inputs_changed`: files that were modified while they were read. Each part is used as it was when it was
///   read. A file that was replaced by another one of the same name is read to its end.
///
/// These are repaired even in strict mode: a CR before LF, a missing last line end, a byte order mark
/// (`bom_removed`), blank lines and comments between JSON lines (`blank_lines_skipped`,
/// `json_comments_skipped`), text whose lines all end in CR
/// (`inputs_with_cr_line_ends`), JSON objects over several lines or in an array (`inputs_with_json_values`), lines of
/// several objects (`json_lines_split`, into `json_values_split`), HTTP bodies that the crawler decoded without changing their head
/// (`http_bodies_decoded_before`). WARC records without plain text are counted by kind, for example
/// `warc_records_skipped_html`.
///
/// A lack of memory for decompression is no fault of the input and always an error.
package final class DocumentReader {
  /// The files to read, with directories and patterns expanded.
  package let inputs: DocumentInputs
  private var nextFile = 0
  private var current: BlockReader?
  private var blocksRead = 0

  /// An empty list of inputs means standard input.
  package convenience init(inputs: [String], options: ReaderOptions = ReaderOptions()) throws {
    try self.init(inputs: inputs.map { .path($0) }, options: options)
  }

  /// `skipped`: what the listing that the inputs come from has skipped.
  package init(
    inputs: [InputSource], options: ReaderOptions = ReaderOptions(), skipped: [InputListing.Skipped] = []
  ) throws {
    self.inputs = try DocumentInputs(inputs, options: options, skipped: skipped)
  }

  package var files: [String] { inputs.files }

  /// Bytes read from the files so far, as they are on disk.
  package var bytesRead: Int { inputs.bytesRead }

  /// The size of all files on disk; nil if one of them is a pipe.
  package private(set) lazy var totalBytes: Int? = InputListing.size(of: files)

  /// The next documents, nil after the last.
  package func next() throws -> DocumentBatch? { try nextBlock()?.documents() }

  /// The next block of whole documents, nil after the last.
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
