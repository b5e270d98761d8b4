import DequeModule
import Foundation
import Support

/// Writes one zstd seekable file.
///
/// Frames are compressed on the threads of a ``FrameCompressor`` while the caller goes on, and written in order, so the
/// bytes do not depend on the number of threads.
///
/// The file is made for an ``OutputDirectory``, which syncs it and decides whether it ever appears.
final class SeekableWriter {
  let path: String
  /// Plain bytes accepted so far.
  private(set) var bytes = 0

  private let descriptor: Int32
  private let disk: WriteBehind
  private let frameBytes: Int
  private let compressor: FrameCompressor
  private var pending: [UInt8] = []
  /// Numbers of the frames that are being compressed, the oldest first.
  private var submitted: Deque<Int> = []
  private var entries: [SeekableFormat.Entry] = []
  private let hash = StreamingXXH64()

  /// `frameBytes` plain bytes make a frame.
  init(_ path: String, frameBytes: Int, compressor: FrameCompressor) throws {
    self.path = path
    self.frameBytes = frameBytes
    self.compressor = compressor
    descriptor = try SystemCall.open(path, O_WRONLY | O_CREAT | O_TRUNC)
    disk = WriteBehind(descriptor, path: path)
    pending.reserveCapacity(frameBytes)
  }

  deinit { close(descriptor) }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    hash.update(bytes)
    self.bytes += bytes.count
    var rest = bytes
    while !rest.isEmpty {
      let part = rest.prefix(frameBytes - pending.count)
      pending.append(contentsOf: part)
      rest = UnsafeRawBufferPointer(rebasing: rest[(rest.startIndex + part.count)...])
      if pending.count == frameBytes { try submitPending() }
    }
  }

  /// Completes the file.
  ///
  /// Returns the XXH64 of its plain bytes.
  func finish() throws -> UInt64 {
    try submitPending()
    while !submitted.isEmpty { try writeOldest() }
    try SeekableFormat.table(entries).withUnsafeBytes { try disk.write($0) }
    return hash.digest
  }

  private func submitPending() throws {
    if pending.isEmpty { return }
    submitted.append(compressor.submit(pending))
    pending = []
    pending.reserveCapacity(frameBytes)
    while submitted.count > compressor.framesAtOnce { try writeOldest() }
  }

  private func writeOldest() throws {
    let frame = try compressor.result(submitted.removeFirst())
    entries.append(frame.entry)
    try frame.bytes.withUnsafeBytes { try disk.write($0) }
  }
}
