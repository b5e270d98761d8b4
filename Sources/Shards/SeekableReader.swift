import Algorithms
import Foundation
import Support

/// Reads any frame of a zstd seekable file and checks it against the seek table.
package final class SeekableReader: Sendable {
  package let path: String
  /// The uncompressed size of the whole file.
  package let bytes: Int
  package let frameCount: Int
  /// The largest uncompressed size of a frame.
  package let largestFrame: Int

  /// What the seek table says of the uncompressed frames: see ``SeekableFormat/hash(_:)``.
  let tableHash: UInt64

  private let file: MappedFile
  private let entries: [SeekableFormat.Entry]
  /// The start of each frame in the file, and of the table.
  private let starts: [Int]
  /// The start of each frame in the uncompressed bytes, and their end.
  private let plainStarts: [Int]

  package init(_ path: String) throws {
    self.path = path
    file = try MappedFile(path, access: .random)
    entries = try Self.readTable(file.bytes, path: path)
    tableHash = SeekableFormat.hash(entries)
    frameCount = entries.count
    largestFrame = Int(entries.map(\.plainBytes).max() ?? 0)
    starts = entries.reduce(into: [0]) { $0.append($0.last! + Int($1.compressedBytes)) }
    plainStarts = entries.reduce(into: [0]) { $0.append($0.last! + Int($1.plainBytes)) }
    bytes = plainStarts.last!
  }

  /// The range of a frame in the uncompressed bytes.
  package func plainRange(ofFrame index: Int) -> Range<Int> { plainStarts[index]..<plainStarts[index + 1] }

  /// The start of a frame in the file, for messages.
  package func offset(ofFrame index: Int) -> Int { starts[index] }

  /// The frame that contains the uncompressed byte at `position`, which must be in `0..<bytes`.
  package func frame(at position: Int) -> Int {
    // All frames except the last have the same size, so the first guess is right unless another program wrote
    // the file.
    let guess = min(position / max(Int(entries[0].plainBytes), 1), frameCount - 1)
    if plainRange(ofFrame: guess).contains(position) { return guess }
    return plainStarts.partitioningIndex { $0 > position } - 1
  }

  /// Decompresses one frame into the start of `buffer`, which must be large enough.
  ///
  /// Returns its uncompressed size.
  package func decompress(frame index: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let size = plainRange(ofFrame: index).count
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
    let source = UnsafeRawBufferPointer(rebasing: file.bytes[starts[index]..<starts[index + 1]])
    try Zstd.decompress(source, into: target, file: path, offset: starts[index])
    guard SeekableFormat.checksum(UnsafeRawBufferPointer(target)) == entries[index].checksum else {
      throw Failure(
        .badInput, "the checksum of frame \(index) does not match its content", file: path,
        offset: starts[index],
        remedy: "Copy the file again from its source or recreate the dataset")
    }
    return size
  }

  /// Releases the pages that were read so far, so that they no longer count as memory of this process.
  func releasePages() { file.releasePages() }

  private static func readTable(_ bytes: UnsafeRawBufferPointer, path: String) throws -> [SeekableFormat
    .Entry]
  {
    func word(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    func damaged(_ message: String, at offset: Int) -> Failure {
      Failure(
        .badInput, message, file: path, offset: offset,
        remedy: "The file is truncated or damaged: copy it again or recreate the dataset")
    }
    let smallest = SeekableFormat.headerBytes + SeekableFormat.footerBytes
    guard bytes.count >= smallest, word(bytes.count - 4) == SeekableFormat.seekableMagic else {
      throw damaged(
        "not a zstd seekable file: its last bytes are not those of a seek table", at: max(0, bytes.count - 4))
    }
    let footer = bytes.count - SeekableFormat.footerBytes
    let descriptor = bytes[footer + 4]
    guard descriptor & SeekableFormat.reservedBits == 0, descriptor & SeekableFormat.checksumFlag != 0 else {
      throw damaged("the seek table has unknown flags or no checksums", at: footer + 4)
    }
    let count = Int(word(footer))
    let tableBytes = smallest + count * SeekableFormat.entryBytes
    guard tableBytes <= bytes.count else {
      throw damaged("the seek table claims \(count) frames, more than the file could hold", at: footer)
    }
    let start = bytes.count - tableBytes
    guard word(start) == SeekableFormat.skippableMagic,
      Int(word(start + 4)) == tableBytes - SeekableFormat.headerBytes
    else { throw damaged("the seek table does not begin where its size says", at: start) }
    let entries = (0..<count).map { index in
      let offset = start + SeekableFormat.headerBytes + index * SeekableFormat.entryBytes
      return SeekableFormat.Entry(
        compressedBytes: word(offset), plainBytes: word(offset + 4), checksum: word(offset + 8))
    }
    let compressed = entries.reduce(0) { $0 + Int($1.compressedBytes) }
    guard compressed == start else {
      throw damaged(
        "the frames of the seek table end at byte \(compressed), the table begins at \(start)", at: start)
    }
    if let index = entries.firstIndex(where: { $0.plainBytes > SeekableFormat.largestFrame }) {
      throw damaged(
        "frame \(index) claims \(entries[index].plainBytes) bytes, and may have at most "
          + "\(SeekableFormat.largestFrame)", at: start)
    }
    return entries
  }
}
