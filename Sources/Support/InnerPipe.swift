import Foundation
import Synchronization

/// A stream of bytes between two commands that run in this process: an ``OutputFile`` of its path writes it, an
/// ``InputFile`` of its path reads it, and no file of that name appears.
///
/// Other than a pipe of the system it tells a stream that has ended from one whose writer has failed: who reads half a
/// stream must not take it for the whole.
package final class InnerPipe: @unchecked Sendable {
  package let path: String

  // Everything but the bytes is guarded by `condition`; of the bytes the writer owns the free ones, the reader the others.
  private let condition = NSCondition()
  private let buffer: UnsafeMutableRawBufferPointer
  /// Bytes written and read since the beginning.
  private var written = 0
  private var read = 0
  private var hasEnded = false
  private var hasFailed = false
  private var isAbandoned = false

  private static let pipes = Mutex<[String: WeakPipe]>([:])

  private struct WeakPipe { weak var pipe: InnerPipe? }

  /// Paths stand for the pipe as long as the object lives.
  package init(_ path: String, capacity: Int = 4 << 20) {
    self.path = path
    buffer = .allocate(byteCount: capacity, alignment: 64)
    Self.pipes.withLock { $0[path] = WeakPipe(pipe: self) }
  }

  deinit {
    let path = path
    Self.pipes.withLock { if $0[path]?.pipe == nil { $0[path] = nil } }
    buffer.deallocate()
  }

  package static func at(_ path: String) -> InnerPipe? { pipes.withLock { $0[path]?.pipe } }

  /// Waits until `isReady` or a signal.
  private func wait(until isReady: () -> Bool) throws {
    while !isReady() {
      // A signal wakes nobody who waits for a condition, so look now and then.
      try Interruption.check()
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
    }
  }

  private func locked<R>(_ body: () throws -> R) rethrows -> R {
    condition.lock()
    defer { condition.unlock() }
    return try body()
  }

  /// Waits for room; throws when nobody reads any more.
  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let (start, free) = try locked {
        try wait { isAbandoned || written - read < buffer.count }
        if isAbandoned { throw Failure(.closedPipe, "nobody reads any more", file: path) }
        let start = written % buffer.count
        return (start, min(buffer.count - (written - read), buffer.count - start))
      }
      let count = min(free, rest.count)
      memcpy(buffer.baseAddress! + start, rest.baseAddress!, count)
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      locked {
        written += count
        condition.broadcast()
      }
    }
  }

  /// Bytes read, 0 at the end; throws when the writer has failed.
  func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
    let (start, available) = try locked {
      try wait { written > read || hasEnded || hasFailed }
      if written == read && hasFailed { throw Failure(.closedPipe, "its writer has failed", file: path) }
      let start = read % buffer.count
      return (start, min(written - read, buffer.count - start))
    }
    let count = min(available, target.count)
    if count == 0 { return 0 }
    memcpy(target.baseAddress!, buffer.baseAddress! + start, count)
    locked {
      read += count
      condition.broadcast()
    }
    return count
  }

  /// All is written.
  func end() {
    locked {
      hasEnded = true
      condition.broadcast()
    }
  }

  /// The writer is done, for better or worse: without an ``end()`` before, the stream is no whole one.
  package func writerLeaves() {
    locked {
      if !hasEnded { hasFailed = true }
      condition.broadcast()
    }
  }

  /// Nobody reads any more.
  package func readerLeaves() {
    locked {
      isAbandoned = true
      condition.broadcast()
    }
  }
}
