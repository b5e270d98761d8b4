import Support
import Synchronization

/// The threads that compress the frames of all files of a dataset.
final class FrameCompressor: Sendable {
  struct Frame: Sendable {
    let bytes: [UInt8]
    let entry: SeekableFormat.Entry
  }

  /// Frames of one file that may wait or be worked on before the oldest is waited for.
  let framesAtOnce: Int
  private let queue: OrderedQueue<[UInt8], Frame>

  init(threads: Int, level: Int) {
    framesAtOnce = threads > 1 ? 4 * threads : 0
    let compressors = Compressors(level: level)
    queue = OrderedQueue(threads: threads) { plain in
      try plain.withUnsafeBytes { plain in
        let compressed = try compressors.with { try $0.compress(plain) }
        return Frame(
          bytes: compressed,
          entry: SeekableFormat.Entry(
            compressedBytes: UInt32(compressed.count), plainBytes: UInt32(plain.count),
            checksum: SeekableFormat.checksum(plain)))
      }
    }
  }

  func submit(_ plain: [UInt8]) -> Int { queue.submit(plain) }

  func result(_ number: Int) throws -> Frame { try queue.result(number: number).get() }

  /// One for each thread that is compressing.
  private final class Compressors: Sendable {
    private let idle = Mutex<[ZstdCompressor]>([])
    private let level: Int

    init(level: Int) { self.level = level }

    func with<Result>(_ body: (ZstdCompressor) throws -> Result) rethrows -> Result {
      let compressor = idle.withLock { $0.popLast() } ?? ZstdCompressor(level: level)
      defer { idle.withLock { $0.append(compressor) } }
      return try body(compressor)
    }
  }
}
