import Foundation

/// A stream of bytes between two stages that run in this process: one opens it as an ``OutputFile``, the other as an
/// ``InputFile``.
///
/// Unlike an OS pipe it distinguishes end of stream from a failed writer, so a reader never takes half a stream for the
/// whole.
package final class InnerPipe: Sendable {
  private struct State: Sendable {
    /// Bytes written and read since the beginning.
    var written = 0
    var read = 0
    var hasEnded = false
    var writerHasFailed = false
    var readerHasLeft = false
  }

  /// What messages call the stream: the path of the file that it stands for.
  package let name: String

  private let state = Monitor(State())
  /// A ring. The writer owns the free bytes and the reader the others; `state` says which are which.
  private nonisolated(unsafe) let ring: UnsafeMutableRawBufferPointer

  package init(_ name: String, capacity: Int = 4 << 20) {
    self.name = name
    ring = .allocate(byteCount: capacity, alignment: 64)
  }

  deinit { ring.deallocate() }

  /// Waits while the pipe is full. Throws if the reader has left.
  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let free = try state.waitInterruptibly { state -> UnsafeMutableRawBufferPointer? in
        if state.readerHasLeft { throw Failure(.closedPipe, "nobody reads any more", file: name) }
        return span(from: state.written, to: state.read + ring.count)
      }
      let count = min(free.count, rest.count)
      memcpy(free.baseAddress!, rest.baseAddress!, count)
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      state.update { $0.written += count }
    }
  }

  /// Waits for bytes and returns their number, or 0 at the end of the stream. Throws if the writer has failed.
  func read(into target: UnsafeMutableRawBufferPointer) throws -> Int {
    let available = try state.waitInterruptibly { state -> UnsafeMutableRawBufferPointer?? in
      if let available = span(from: state.read, to: state.written) { return available }
      if state.writerHasFailed { throw Failure(.closedPipe, "its writer has failed", file: name) }
      return state.hasEnded ? .some(nil) : nil
    }
    guard let available else { return 0 }
    let count = min(available.count, target.count)
    if count == 0 { return 0 }
    memcpy(target.baseAddress!, available.baseAddress!, count)
    state.update { $0.read += count }
    return count
  }

  /// The bytes of the ring between two positions in the stream, up to the end of the ring; nil if there are none.
  private func span(from start: Int, to end: Int) -> UnsafeMutableRawBufferPointer? {
    if start == end { return nil }
    let first = start % ring.count
    return UnsafeMutableRawBufferPointer(rebasing: ring[first..<min(first + end - start, ring.count)])
  }

  /// Marks the end of the stream: everything has been written.
  func end() { state.update { $0.hasEnded = true } }

  /// The writer has stopped; without an earlier ``end()`` the stream counts as failed.
  package func writerLeaves() {
    state.update { if !$0.hasEnded { $0.writerHasFailed = true } }
  }

  /// The reader has stopped.
  package func readerLeaves() { state.update { $0.readerHasLeft = true } }
}
