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
  private let hash = StreamingXXH64()

  /// The XXH64 of all bytes.
  package var digest: UInt64 { hash.digest }

  private static let bufferBytes = 1 << 18

  /// Opens the file and truncates it to `length` bytes; throws if it is shorter, or if these bytes have
  /// another XXH64 than `digest`.
  package init(_ path: String, length: Int = 0, digest: UInt64? = nil) throws {
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
    if length == 0 { return }
    let file = try MappedFile(path)
    for start in stride(from: 0, to: length, by: 16 << 20) {
      try Interruption.check()
      hash.update(UnsafeRawBufferPointer(rebasing: file.bytes[start..<min(length, start + 16 << 20)]))
      file.releasePages()
    }
    if let digest, digest != hash.digest {
      throw Failure(
        .badInput, "was changed after it was written: its checksum does not fit", file: path,
        remedy: "Remove the work directory and run again")
    }
  }

  deinit { close(descriptor) }

  package func append(_ bytes: UnsafeRawBufferPointer) throws {
    length += bytes.count
    hash.update(bytes)
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
