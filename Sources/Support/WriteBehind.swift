import Foundation

/// Writes a new file in order and lets the system start writing it to disk early, so that a sync at the end
/// takes less time.
package final class WriteBehind {
  /// The bytes after which the system is asked to start writing.
  private static let interval = 8 << 20

  private let descriptor: Int32
  private let path: String
  private var written = 0
  /// The bytes that the system has been asked to write to disk.
  private var started = 0

  /// The descriptor must be at the start of its file; the caller closes it.
  package init(_ descriptor: Int32, path: String) { (self.descriptor, self.path) = (descriptor, path) }

  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    try SystemCall.write(descriptor, bytes, path: path)
    written += bytes.count
    if written - started >= Self.interval {
      SystemCall.startWriting(descriptor, from: started, count: written - started)
      started = written
    }
  }
}
