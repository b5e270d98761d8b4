import Foundation

/// A file that is appended to and that can be continued, after its writer was killed, from a length known to
/// be good.
///
/// Unlike an ``OutputFile`` it has its final name from the start. Its owner records elsewhere, after
/// ``sync()``, how many bytes are valid.
package final class GrowingFile {
  package let path: String
  /// The bytes appended, including those of earlier runs.
  package private(set) var length: Int
  private let descriptor: Int32
  private var buffer: [UInt8] = []

  private static let bufferBytes = 1 << 18

  /// Opens the file and truncates it to `length` bytes; throws if it is shorter.
  package init(_ path: String, length: Int = 0) throws {
    self.path = path
    self.length = length
    descriptor = try SystemCall.open(path, O_RDWR | O_CREAT | O_NOFOLLOW)
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int(status.st_size) >= length else {
      close(descriptor)
      throw Failure(
        .badInput, "the file is shorter than its records say", file: path,
        remedy: "Remove the work directory and run again")
    }
    guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, off_t(length), SEEK_SET) >= 0 else {
      close(descriptor)
      throw SystemCall.failure("truncate", path)
    }
  }

  deinit { close(descriptor) }

  package func append(_ bytes: UnsafeRawBufferPointer) throws {
    length += bytes.count
    if buffer.count + bytes.count > Self.bufferBytes { try flush() }
    if bytes.count >= Self.bufferBytes {
      try SystemCall.write(descriptor, bytes, path: path)
    } else {
      buffer.append(contentsOf: bytes)
    }
  }

  package func append(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try append($0) } }

  /// Makes all appended bytes visible to other readers of the file.
  package func flush() throws {
    try buffer.withUnsafeBytes { try SystemCall.write(descriptor, $0, path: path) }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Makes all appended bytes durable.
  package func sync() throws {
    try flush()
    try SystemCall.sync(descriptor, path: path)
  }
}
