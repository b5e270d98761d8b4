import Foundation

/// A stream of bytes between two stages that run in this process: one opens it as an ``OutputFile``, the other as an
/// ``InputFile``.
///
/// Unlike a pipe of the system, it distinguishes a stream that has ended from one whose writer has failed, so a reader
/// never takes half a stream for the whole.
package final class InnerPipe: @unchecked Sendable {
  /// What messages call the stream: the path of the file that it stands for.
  package let name: String

  // `condition` guards everything but the bytes; the writer owns the free bytes, the reader the others.
  private let condition = NSCondition()
  private let buffer: UnsafeMutableRawBufferPointer
  /// Bytes written and read since the beginning.
  private var written = 0
  private var read = 0
  private var hasEnded = false
  private var hasFailed = false
  private var isAbandoned = false

  package init(_ name: String, capacity: Int = 4 << 20) {
    self.name = name
    buffer = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit { buffer.deallocate() }

  /// Waits until `isReady` or a signal.
  private func wait(until isReady: () -> Bool) throws {
    while !isReady() {
      // A signal does not wake a thread that waits for a condition, so look now and then.
      try Interruption.check()
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
    }
  }

  private func locked<R>(_ body: () throws -> R) rethrows -> R {
    condition.lock()
    defer { condition.unlock() }
    return try body()
  }

  /// Waits until the buffer has free bytes; throws when the reader has left.
  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let (start, free) = try locked {
        try wait { isAbandoned || written - read < buffer.count }
        if isAbandoned { throw Failure(.closedPipe, "nobody reads any more", file: name) }
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
      if written == read && hasFailed { throw Failure(.closedPipe, "its writer has failed", file: name) }
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

  /// Everything has been written.
  func end() {
    locked {
      hasEnded = true
      condition.broadcast()
    }
  }

  /// The writer has stopped; without an earlier ``end()`` the stream counts as failed.
  package func writerLeaves() {
    locked {
      if !hasEnded { hasFailed = true }
      condition.broadcast()
    }
  }

  /// The reader has stopped.
  package func readerLeaves() {
    locked {
      isAbandoned = true
      condition.broadcast()
    }
  }
}
