import Foundation

/// A file of sorted records, in parts of equal key range that can be read, checked and merged separately.
///
/// The file holds the records (``RecordFormat/storedBytes`` each, words little-endian); then, for each of the
/// 256 values of the first word's top byte, the number of its records and their XXH64; then the note of its
/// writer; then a trailer that says which kind of records this is, of which job, the sizes of these parts, and
/// the XXH64 of everything after the records. It appears by rename, so it is always complete.
package struct SortedRun: Sendable {
  package let path: String
  package let format: RecordFormat
  /// What the writer has noted about the input of the run.
  package let note: [UInt8]
  /// The job whose state the run is: see ``ResumableDirectory/tag``.
  package let owner: UInt64
  /// A hash of the numbers and checksums of all records and of the note: equal runs have equal checksums.
  package let checksum: UInt64
  /// The number of records in each part.
  let counts: [Int]
  private let checksums: [UInt64]

  static let parts = 256
  private static let magic: UInt64 = 0x3230_6e75_726d_6b70  // "pkmrun02"
  private static let trailerBytes = 64

  package let recordCount: Int

  /// Opens a complete run of records of this format.
  package init(_ path: String, format: RecordFormat) throws {
    func damaged(_ message: String) -> Failure {
      Failure(.badInput, message, file: path, remedy: "Remove it, or its whole directory, and run again")
    }
    let file = try MappedFile(path, access: .random)
    let bytes = file.bytes
    let trailer = bytes.count - Self.trailerBytes
    func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    guard trailer >= 0, word(trailer) == Self.magic else {
      throw damaged("not a finished run of sorted records of this version")
    }
    /// A number of the trailer, which must be between 0 and `most`.
    func number(_ index: Int, _ key: String, most: Int) throws -> Int {
      let value = word(trailer + 8 * index)
      guard value <= UInt64(most) else {
        throw damaged("its \(key) is \(value), and can be at most \(most)")
      }
      return Int(value)
    }
    guard word(trailer + 8) == UInt64(format.words), word(trailer + 16) == UInt64(format.lastBytes),
      word(trailer + 24) == format.kindCode
    else {
      throw damaged("holds records of another kind than \(format.kind) of \(format.words) words")
    }
    let noteBytes = try number(5, "length of the note", most: max(0, trailer - Self.parts * 16))
    let table = trailer - noteBytes - Self.parts * 16
    guard table >= 0, table % format.storedBytes == 0 else { throw damaged("its length is wrong") }
    let records = try number(6, "number of records", most: table / format.storedBytes)
    guard records == table / format.storedBytes else {
      throw damaged("its number of records is \(records), but it holds \(table / format.storedBytes)")
    }
    checksum = Hashing.xxh64(UnsafeRawBufferPointer(rebasing: bytes[table..<(trailer + 56)]))
    guard checksum == word(trailer + 56) else { throw damaged("its checksum is wrong") }
    var (counts, total) = ([Int](), 0)
    for part in 0..<Self.parts {
      let count = word(table + 16 * part)
      guard count <= UInt64(records - total) else {
        throw damaged("part \(part) has \(count) records, and can have at most \(records - total)")
      }
      counts.append(Int(count))
      total += Int(count)
    }
    guard total == records else {
      throw damaged("its parts have \(total) records in all, and not \(records)")
    }
    self.path = path
    self.format = format
    self.counts = counts
    owner = word(trailer + 32)
    note = Array(bytes[(trailer - noteBytes)..<trailer])
    checksums = (0..<Self.parts).map { word(table + 16 * $0 + 8) }
    recordCount = records
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
    private let owner: UInt64
    private var counts = [Int](repeating: 0, count: SortedRun.parts)
    private var checksums = [UInt64](repeating: 0, count: SortedRun.parts)
    private var part = 0
    private var hash = StreamingXXH64()
    private let buffer: UnsafeMutableRawBufferPointer
    private var filled = 0
    private let dropsRepeats: Bool
    /// The last record written, for ``dropsRepeats``.
    private var last: [UInt64] = []

    init(_ path: String, format: RecordFormat, owner: UInt64 = 0, dropsRepeats: Bool = false) throws {
      (self.owner, self.dropsRepeats) = (owner, dropsRepeats)
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
      append(SortedRun.magic)
      append(UInt64(format.words))
      append(UInt64(format.lastBytes))
      append(format.kindCode)
      append(owner)
      append(UInt64(note.count))
      append(UInt64(counts.reduce(0, +)))
      append(tail.withUnsafeBytes { Hashing.xxh64($0) })
      try file.write(tail)
      try file.finish()
      return try SortedRun(file.path, format: format)
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
