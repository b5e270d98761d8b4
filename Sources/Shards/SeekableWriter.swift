import Foundation
import Support
import Synchronization

/// Writes one zstd seekable file.
///
/// Frames are compressed side by side on the threads of a pool and written in order, so the bytes do not
/// depend on the number of threads.
///
/// The file is made for an ``OutputDirectory``, which syncs it and decides whether it ever appears.
final class SeekableWriter {
  static let level = 3

  let path: String
  /// Plain bytes accepted so far.
  private(set) var bytes = 0

  private let descriptor: Int32
  private let frameBytes: Int
  private let pool: WorkerPool?
  private let pending: UnsafeMutableRawBufferPointer
  private var pendingCount = 0
  private var entries: [SeekableFormat.Entry] = []
  private let hash = StreamingXXH64()

  /// `frameBytes` plain bytes make a frame; `framesAtOnce` of them are collected before they are compressed.
  init(_ path: String, frameBytes: Int, framesAtOnce: Int, pool: WorkerPool?) throws {
    self.path = path
    self.frameBytes = frameBytes
    self.pool = pool
    descriptor = try SystemCall.open(path, O_WRONLY | O_CREAT | O_TRUNC)
    pending = .allocate(byteCount: frameBytes * framesAtOnce, alignment: 64)
  }

  deinit {
    close(descriptor)
    pending.deallocate()
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    hash.update(bytes)
    self.bytes += bytes.count
    var rest = bytes
    while let source = rest.baseAddress, !rest.isEmpty {
      let count = min(rest.count, pending.count - pendingCount)
      memcpy(pending.baseAddress! + pendingCount, source, count)
      pendingCount += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      if pendingCount == pending.count { try compressPending() }
    }
  }

  /// Completes the file.
  ///
  /// Returns the XXH64 of its plain bytes.
  func finish() throws -> UInt64 {
    try compressPending()
    try SeekableFormat.table(entries).withUnsafeBytes { try SystemCall.write(descriptor, $0, path: path) }
    return hash.digest
  }

  private func compressPending() throws {
    let plain = UnsafeRawBufferPointer(rebasing: pending[..<pendingCount])
    let count = (plain.count + frameBytes - 1) / frameBytes
    func frame(_ index: Int) -> UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(
        rebasing: plain[(index * frameBytes)..<min(plain.count, (index + 1) * frameBytes)])
    }
    let frames = Mutex([[UInt8]](repeating: [], count: count))
    let work = { (index: Int, _: Int) in
      let compressed = try Zstd.compress(frame(index), level: Self.level)
      frames.withLock { $0[index] = compressed }
    }
    if let pool {
      try pool.forEachThrowing(count, work)
    } else {
      for index in 0..<count { try work(index, 0) }
    }
    for (index, compressed) in frames.withLock({ $0 }).enumerated() {
      let plain = frame(index)
      entries.append(
        SeekableFormat.Entry(
          compressedBytes: UInt32(compressed.count), plainBytes: UInt32(plain.count),
          checksum: SeekableFormat.checksum(plain)))
      try compressed.withUnsafeBytes { try SystemCall.write(descriptor, $0, path: path) }
    }
    pendingCount = 0
  }
}
