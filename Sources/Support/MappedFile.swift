import Foundation

/// A file mapped into memory.
///
/// The file must not shrink while it is mapped; `bytes` are valid as long as the object lives.
package final class MappedFile: Sendable {
  // The memory is read-only, and unmapped only by `deinit`.
  package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  /// The order in which the file will be read, which tells the kernel how much to read ahead.
  package enum Access { case sequential, random }

  package init(_ path: String, access: Access = .sequential) throws {
    // Not blocking: a named pipe is refused, not waited for.
    let descriptor = try SystemCall.open(path, O_RDONLY | O_NONBLOCK)
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw SystemCall.failure("read the size of", path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(.inputOutput, "not a regular file", file: path)
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
      throw SystemCall.failure("map", path)
    }
    madvise(address, size, access == .sequential ? MADV_SEQUENTIAL : MADV_RANDOM)
    bytes = UnsafeRawBufferPointer(start: address, count: size)
  }

  /// Reads a small file that nothing but a regular file can be: a named pipe is refused, not waited for.
  package static func readRegular(_ path: String) throws -> [UInt8] {
    let file = try MappedFile(path)
    return withExtendedLifetime(file) { Array(file.bytes) }
  }

  /// Reads a small file, a pipe or, if the path is `-`, standard input to its end.
  ///
  /// Throws where it is longer than `limit`: what never ends, as /dev/zero does, is no small file.
  package static func read(_ path: String, atMost limit: Int = 1 << 40) throws -> [UInt8] {
    let descriptor = path == "-" ? STDIN_FILENO : try SystemCall.open(path, O_RDONLY)
    defer { if path != "-" { close(descriptor) } }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw SystemCall.failure("read the size of", path) }
    // One byte more than the size of a regular file, so that its end is found without another buffer.
    let isRegular = status.st_mode & S_IFMT == S_IFREG
    var (capacity, isAtEnd) = (isRegular ? Int(status.st_size) + 1 : 1 << 16, false)
    var bytes: [UInt8] = []
    while !isAtEnd {
      let more = try [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        while count < capacity && !isAtEnd {
          let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
          if !isRegular { try SystemCall.waitForInput(descriptor) }
          let read = try SystemCall.read(descriptor, into: rest, path: path)
          count += read
          isAtEnd = read == 0
        }
      }
      if bytes.isEmpty { bytes = more } else { bytes += more }
      if bytes.count > limit {
        throw Failure(.badInput, "is longer than \(limit) bytes, which such a file never is", file: path)
      }
      capacity = max(1 << 16, bytes.count)
    }
    return bytes
  }

  /// Removes the pages read so far from the memory of the process; the system may still cache them.
  ///
  /// Call it now and then while reading a file that is larger than memory.
  package func releasePages() {
    if let address = bytes.baseAddress {
      madvise(UnsafeMutableRawPointer(mutating: address), bytes.count, MADV_DONTNEED)
    }
  }

  deinit {
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
  }
}
