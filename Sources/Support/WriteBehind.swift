import Foundation

/// Writes a new file in order and lets the system start writing it to disk early, so that a sync at the end
/// takes less time.
package final class WriteBehind {
  /// The bytes after which the system is asked to start writing.
  private static let interval = 8 << 20

  private let descriptor: Int32
  private let path: String
  /// Whether the reader at the other end may let the writer wait.
  private let isStream: Bool
  private var written = 0
  /// The bytes that the system has been asked to write to disk.
  private var started = 0

  /// The descriptor must be at the start of its file; the caller closes it.
  package init(_ descriptor: Int32, path: String) {
    (self.descriptor, self.path) = (descriptor, path)
    var status = stat()
    let kind = fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    isStream = kind == S_IFIFO || kind == S_IFSOCK || isatty(descriptor) == 1
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    if isStream { return try SystemCall.writeStream(descriptor, bytes, path: path) }
    try SystemCall.write(descriptor, bytes, path: path)
    written += bytes.count
    if written - started >= Self.interval {
      SystemCall.startWriting(descriptor, from: started, count: written - started)
      started = written
    }
  }
}
