import CSimdjson
import Foundation
import Support

/// Documents of files, directories and standard input, in order, a batch at a time.
///
/// Reading has two halves so that the costly one can run on many threads: ``nextBlock()`` cuts the stream at document
/// boundaries, ``DocumentBlock/documents()`` checks, repairs and parses. ``next()`` is both.
///
/// Bad input is repaired or skipped, counted by name in the batch and, with ``ReaderOptions/isStrict``, fatal:
/// - `invalid_utf8_replaced`: each maximal ill-formed part of a sequence becomes U+FFFD (Unicode 15, section 3.9);
/// - `json_lines_broken`, `json_texts_missing`: lines that are no JSON object or lack the text are skipped;
/// - `lone_surrogates_replaced`: half of an escaped surrogate pair becomes U+FFFD;
/// - `inputs_damaged`: a truncated or corrupt compressed file is read up to the break.
///
/// Repaired in silence, strict or not: one CR before LF, a missing last line end, a byte order mark (`bom_removed`),
/// blank lines between JSON lines (`blank_lines_skipped`).
package final class DocumentReader {
  /// The files to read, directories resolved.
  package let files: [String]
  private let options: ReaderOptions
  private var nextFile = 0
  private var current: OpenFile?
  private var offsetOfClosedFiles = 0
  private var blocksRead = 0

  private struct OpenFile {
    let input: InputFile
    let source: DocumentSource
    var line = 1
    var isAtEnd = false
    var counts = Summary()
    var warnings: [String] = []
  }

  // Bytes read and not yet handed out: the first `buffered` of `buffer`.
  private var buffer: UnsafeMutableRawBufferPointer
  private var buffered = 0

  /// No inputs means standard input.
  package init(inputs: [String], options: ReaderOptions = ReaderOptions()) throws {
    files = try InputListing.files(inputs)
    self.options = options
    buffer = .allocate(byteCount: options.batchBytes + pkm_json_padding(), alignment: 64)
  }

  deinit { buffer.deallocate() }

  /// Bytes taken from the files so far, as they lie on disk.
  package var bytesRead: Int { offsetOfClosedFiles + (current?.input.offset ?? 0) }

  /// Size of all files on disk; nil when one of them is a pipe.
  package private(set) lazy var totalBytes: Int? = InputListing.size(of: files)

  /// The next documents, nil after the last.
  package func next() throws -> DocumentBatch? { try nextBlock()?.documents() }

  /// The next part of the input that holds whole documents, nil after the last.
  package func nextBlock() throws -> DocumentBlock? {
    while true {
      if current == nil {
        guard nextFile < files.count else { return nil }
        try open(files[nextFile], index: nextFile)
        nextFile += 1
      }
      let length = try fillToCut()
      let file = current!
      guard length > 0 || !file.counts.entries.isEmpty else {
        close()
        continue
      }
      let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<length])
      let block = DocumentBlock(
        bytes: [UInt8](bytes), firstLine: file.line, source: file.source, options: options,
        counts: file.counts, warnings: file.warnings, number: blocksRead)
      blocksRead += 1
      current!.line += Bytes.count(of: UInt8(ascii: "\n"), in: bytes)
      current!.counts = Summary()
      current!.warnings = []
      buffered -= length
      memmove(buffer.baseAddress!, buffer.baseAddress! + length, buffered)
      if file.isAtEnd && buffered == 0 { close() }
      return block
    }
  }

  private func open(_ path: String, index: Int) throws {
    let input = try InputFile(path)
    current = OpenFile(
      input: input,
      source: DocumentSource(index: index, path: path, format: .text, splitting: options.splitting))
    try fill(upTo: options.batchBytes)
    let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
    if buffer[..<buffered].starts(with: byteOrderMark) {
      buffered -= 3
      memmove(buffer.baseAddress!, buffer.baseAddress! + 3, buffered)
      current!.counts.add("bom_removed")
    }
    let isJSON = try options.format.map { $0 == .jsonl } ?? looksLikeJSONLines(path)
    if isJSON {
      let opened = current!
      current = OpenFile(
        input: input,
        source: DocumentSource(index: index, path: path, format: .jsonl, splitting: options.splitting),
        isAtEnd: opened.isAtEnd, counts: opened.counts, warnings: opened.warnings)
    }
  }

  private func close() {
    offsetOfClosedFiles += current!.input.offset
    current = nil
  }

  private func looksLikeJSONLines(_ path: String) throws -> Bool {
    var name = Path.name(of: path).lowercased()
    for suffix in [".gz", ".zst"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
    if [".jsonl", ".ndjson", ".json"].contains(where: name.hasSuffix) { return true }
    guard let start = buffer[..<buffered].firstIndex(where: { $0 != 0x20 && ($0 < 0x09 || $0 > 0x0d) }),
      buffer[start] == UInt8(ascii: "{")
    else { return false }
    while true {
      let line = buffer[start..<buffered].prefix { $0 != UInt8(ascii: "\n") }
      if line.endIndex < buffered || current!.isAtEnd {
        return pkm_json_is_object(
          (buffer.baseAddress! + start).assumingMemoryBound(to: CChar.self), line.count)
      }
      try fill(upTo: 2 * buffered)
    }
  }

  /// Fills the buffer until it can be cut, and returns the length of the part that can go.
  private func fillToCut() throws -> Int {
    var wanted = options.batchBytes
    while true {
      try fill(upTo: wanted)
      if current!.isAtEnd { return buffered }
      let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<buffered])
      if let cut = DocumentBlock.cut(bytes, source: current!.source) { return cut }
      // Doubling keeps the search for a cut in one huge document linear.
      wanted = 2 * buffered
    }
  }

  private func fill(upTo count: Int) throws {
    if buffer.count < count + pkm_json_padding() {
      let larger = UnsafeMutableRawBufferPointer.allocate(
        byteCount: count + pkm_json_padding(), alignment: 64)
      memcpy(larger.baseAddress!, buffer.baseAddress!, buffered)
      buffer.deallocate()
      buffer = larger
    }
    while buffered < count && !current!.isAtEnd {
      let free = UnsafeMutableRawBufferPointer(rebasing: buffer[buffered..<count])
      let read = try current!.input.read(into: free)
      buffered += read
      if read < free.count { try noteEnd() }
    }
  }

  private func noteEnd() throws {
    current!.isAtEnd = true
    guard let damage = current!.input.damage else { return }
    if options.isStrict {
      throw Failure(.badInput, damage.reason, file: damage.file, offset: damage.offset)
    }
    current!.counts.add("inputs_damaged")
    current!.warnings.append("\(damage). What came before it was read")
  }
}
