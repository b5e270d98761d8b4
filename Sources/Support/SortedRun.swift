import Foundation

/// A file of sorted records, in parts of equal key range that can be read, checked and merged separately.
///
/// The file holds the records (``RecordFormat/storedBytes`` each, words little-endian); then, for each of the
/// 256 values of the first word's top byte, the number of its records and their XXH64; then the note of its
/// writer; then a trailer with the sizes of these. It appears by rename, so it is always complete.
package struct SortedRun: Sendable {
  package let path: String
  package let format: RecordFormat
  /// What the writer has noted about the input of the run.
  package let note: [UInt8]
  /// The number of records in each part.
  let counts: [Int]
  private let checksums: [UInt64]

  static let parts = 256
  private static let magic: UInt64 = 0x3130_6e75_726d_6b70  // "pkmrun01"
  private static let trailerBytes = 48

  package var recordCount: Int { counts.reduce(0, +) }

  /// Opens a complete run.
  package init(_ path: String) throws {
    func damaged() -> Failure {
      Failure(
        .badInput, "not a finished run of sorted records", file: path, remedy: "Remove it and run again")
    }
    let file = try MappedFile(path, access: .random)
    let bytes = file.bytes
    guard bytes.count >= Self.trailerBytes else { throw damaged() }
    func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    let trailer = bytes.count - Self.trailerBytes
    let (words, lastBytes) = (
      Int(truncatingIfNeeded: word(trailer + 8)), Int(truncatingIfNeeded: word(trailer + 16))
    )
    let (noteBytes, records) = (
      Int(truncatingIfNeeded: word(trailer + 24)), Int(truncatingIfNeeded: word(trailer + 32))
    )
    guard word(trailer) == Self.magic, (1...1024).contains(words), (1...8).contains(lastBytes) else {
      throw damaged()
    }
    let format = RecordFormat(words: words, lastBytes: lastBytes)
    let table = trailer - noteBytes - Self.parts * 16
    guard records >= 0, noteBytes >= 0, table >= 0, table / format.storedBytes == records,
      table % format.storedBytes == 0,
      Hashing.xxh64(UnsafeRawBufferPointer(rebasing: bytes[table..<(trailer + 40)])) == word(trailer + 40)
    else { throw damaged() }
    self.path = path
    self.format = format
    note = Array(bytes[(trailer - noteBytes)..<trailer])
    counts = (0..<Self.parts).map { Int(word(table + 16 * $0)) }
    checksums = (0..<Self.parts).map { word(table + 16 * $0 + 8) }
    guard recordCount == records else { throw damaged() }
  }

  /// The number of records before a part.
  func start(of part: Int) -> Int { counts[..<part].reduce(0, +) }

  /// Throws unless the checksum is that of the part as it was written.
  func check(_ checksum: UInt64, of part: Int) throws {
    guard checksum == checksums[part] else {
      throw Failure(
        .badInput, "the checksum of part \(part) is wrong", file: path,
        offset: start(of: part) * format.storedBytes,
        remedy: "The file was damaged or changed: remove it and run again")
    }
  }

  /// Writes records, which must arrive in order.
  final class Writer {
    private let file: OutputFile
    private let format: RecordFormat
    private var counts = [Int](repeating: 0, count: SortedRun.parts)
    private var checksums = [UInt64](repeating: 0, count: SortedRun.parts)
    private var part = 0
    private var hash = StreamingXXH64()
    private let buffer: UnsafeMutableRawBufferPointer
    private var filled = 0
    private let dropsRepeats: Bool
    /// The last record written, for ``dropsRepeats``.
    private var last: [UInt64] = []

    init(_ path: String, format: RecordFormat, dropsRepeats: Bool = false) throws {
      self.dropsRepeats = dropsRepeats
      file = try OutputFile(path)
      self.format = format
      buffer = .allocate(byteCount: 4096 * format.storedBytes + 8, alignment: 64)
    }

    deinit { buffer.deallocate() }

    func write(_ records: UnsafePointer<UInt64>, count: Int) throws {
      let (words, stored) = (format.words, format.storedBytes)
      var record = records
      // Properties are updated once per call, not once per record.
      var (filled, inPart) = (self.filled, 0)
      defer {
        self.filled = filled
        counts[part] += inPart
      }
      for _ in 0..<count {
        if dropsRepeats {
          if last.elementsEqual(UnsafeBufferPointer(start: record, count: words)) {
            record += words
            continue
          }
          last.removeAll(keepingCapacity: true)
          last.append(contentsOf: UnsafeBufferPointer(start: record, count: words))
        }
        let next = Int(truncatingIfNeeded: record[0] >> 56)
        if next != part {
          self.filled = filled
          counts[part] += inPart
          (filled, inPart) = (0, 0)
          try endPart(next)
        }
        // A word past the end of the record is overwritten by the next one.
        for word in 0..<words {
          buffer.storeBytes(of: record[word].littleEndian, toByteOffset: filled + 8 * word, as: UInt64.self)
        }
        filled += stored
        inPart += 1
        if filled >= 4096 * stored {
          self.filled = filled
          filled = 0
          try flush()
        }
        record += words
      }
    }

    func finish(note: [UInt8]) throws -> SortedRun {
      try endPart(part)
      var tail: [UInt8] = []
      func append(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { tail += $0 } }
      for part in 0..<SortedRun.parts {
        append(UInt64(counts[part]))
        append(counts[part] == 0 ? Self.emptyChecksum : checksums[part])
      }
      tail += note
      for value in [Int(truncatingIfNeeded: SortedRun.magic), format.words, format.lastBytes, note.count] {
        append(UInt64(bitPattern: Int64(value)))
      }
      append(UInt64(counts.reduce(0, +)))
      append(tail.withUnsafeBytes { Hashing.xxh64($0) })
      try file.write(tail)
      try file.finish()
      return try SortedRun(file.path)
    }

    private static let emptyChecksum = StreamingXXH64().digest

    private func endPart(_ next: Int) throws {
      try flush()
      checksums[part] = hash.digest
      hash = StreamingXXH64()
      part = next
    }

    private func flush() throws {
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<filled])
      hash.update(bytes)
      try file.write(bytes)
      filled = 0
    }
  }
}
