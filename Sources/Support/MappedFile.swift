import Foundation

/// A whole file as bytes, read by the pages touched.
///
/// The file must not shrink while it is mapped; `bytes` are valid as long as the object lives.
package final class MappedFile: @unchecked Sendable {
  // Immutable after `init`; unmapped when the last reference goes.
  package let bytes: UnsafeRawBufferPointer

  /// What the kernel reads ahead.
  package enum Access { case sequential, random }

  package init(_ path: String, access: Access = .sequential) throws {
    let descriptor = try SystemCall.open(path, O_RDONLY)
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

  /// A copy of all bytes of a file, of what a pipe hands over, or with `-` of standard input: for small files.
  package static func read(_ path: String) throws -> [UInt8] {
    let descriptor = path == "-" ? STDIN_FILENO : try SystemCall.open(path, O_RDONLY)
    defer { if path != "-" { close(descriptor) } }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw SystemCall.failure("read the size of", path) }
    // One byte more than a regular file has, so that its end is seen without growing.
    var (room, isAtEnd) = (status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) + 1 : 1 << 16, false)
    var bytes: [UInt8] = []
    while !isAtEnd {
      let more = try [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        while count < room && !isAtEnd {
          let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
          let read = try SystemCall.read(descriptor, into: rest, path: path)
          count += read
          isAtEnd = read == 0
        }
      }
      if bytes.isEmpty { bytes = more } else { bytes += more }
      room = max(1 << 16, bytes.count)
    }
    return bytes
  }

  /// Gives the pages that were touched back to the system, which has them in its cache for as long as it likes.
  ///
  /// A file larger than the memory of the process is read this way.
  package func releasePages() {
    if let address = bytes.baseAddress {
      madvise(UnsafeMutableRawPointer(mutating: address), bytes.count, MADV_DONTNEED)
    }
  }

  deinit {
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
  }
}
