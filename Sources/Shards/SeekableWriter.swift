import DequeModule
import Foundation
import Support

/// Writes one zstd seekable file.
///
/// Frames are compressed on the threads of a ``Compressor`` while the caller continues, and are written in
/// order, so the bytes do not depend on the number of threads.
///
/// The file belongs to an ``OutputDirectory``, which syncs it and decides whether it ever appears under its
/// final name.
final class SeekableWriter {
  let path: String
  /// Uncompressed bytes accepted so far.
  private(set) var bytes = 0

  private let descriptor: Int32
  private let disk: WriteBehind
  private let frameBytes: Int
  private let compressor: Compressor
  private var pending: [UInt8] = []
  /// The frames that are being compressed, oldest first.
  private var submitted: Deque<WorkQueue<[UInt8], Compressor.Frame>.Pending> = []
  private var entries: [SeekableFormat.Entry] = []
  private let hash = StreamingXXH64()

  /// A frame contains `frameBytes` uncompressed bytes.
  init(_ path: String, frameBytes: Int, compressor: Compressor) throws {
    self.path = path
    self.frameBytes = frameBytes
    self.compressor = compressor
    descriptor = try SystemCall.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
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

  /// Completes the file. Returns the XXH64 of its uncompressed bytes, and ``SeekableFormat/hash(_:)`` of its frames.
  func finish() throws -> (content: UInt64, table: UInt64) {
    try submitPending()
    while !submitted.isEmpty { try writeOldest() }
    try SeekableFormat.table(entries).withUnsafeBytes { try disk.write($0) }
    return (hash.digest, SeekableFormat.hash(entries))
  }

  private func submitPending() throws {
    if pending.isEmpty { return }
    submitted.append(compressor.submit(pending))
    pending = []
    pending.reserveCapacity(frameBytes)
    while submitted.count > compressor.framesAtOnce { try writeOldest() }
  }

  private func writeOldest() throws {
    let frame = try submitted.removeFirst().get()
    entries.append(frame.entry)
    try frame.bytes.withUnsafeBytes { try disk.write($0) }
  }
}

extension SeekableWriter {
  /// Compresses the frames of all files of a dataset on its threads.
  final class Compressor: Sendable {
    struct Frame: Sendable {
      let bytes: [UInt8]
      let entry: SeekableFormat.Entry
    }

    /// The number of frames of one file that may be waiting or in progress before the writer waits for the
    /// oldest.
    let framesAtOnce: Int
    private let queue: WorkQueue<[UInt8], Frame>

    init(threads: Int, level: Int) {
      framesAtOnce = threads > 1 ? 4 * threads : 0
      let compressors = IdlePool<ZstdCompressor>()
      queue = WorkQueue(threads: threads) { plain in
        try plain.withUnsafeBytes { plain in
          let compressed = try compressors.with(orMake: { ZstdCompressor(level: level) }) {
            try $0.compress(plain)
          }
          return Frame(
            bytes: compressed,
            entry: SeekableFormat.Entry(
              compressedBytes: UInt32(compressed.count), plainBytes: UInt32(plain.count),
              checksum: SeekableFormat.checksum(plain)))
        }
      }
    }

    func submit(_ plain: [UInt8]) -> WorkQueue<[UInt8], Frame>.Pending { queue.submit(plain) }
  }
}
