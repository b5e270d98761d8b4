import CZstd
import Foundation

/// A file that appears under its name only when it is complete: it is written under a ``TemporaryName``, and
/// ``finish()`` syncs and renames it.
///
/// If it is dropped before that, it leaves nothing behind; the next run removes what a killed run left. A second
/// writer of the same name fails. A file that replaces another has its mode, a new one that of the umask.
/// Standard output (`-`) and an ``InnerPipe`` are written directly.
///
/// A name that ends in `.gz` or `.zst` (or `.gzip`, `.zstd`) is compressed: gzip at level 6 in members of a megabyte
/// (``GzipMembers``), zstd at level 3.
package final class OutputFile {
  package let path: String
  /// The uncompressed bytes written so far.
  package private(set) var bytesWritten = 0

  private let target: String
  private let temporary: String
  private let descriptor: Int32
  private let pipe: InnerPipe?
  private let disk: WriteBehind
  /// Standard output, a device or a named pipe, which is written directly and not renamed.
  private let isStream: Bool
  private var isOpen = true
  private var buffer: UnsafeMutableRawBufferPointer
  private var buffered = 0
  private var zstd: OpaquePointer?
  private var gzip: GzipMembers?
  /// When a stream was last flushed, in seconds.
  private var lastFlush = 0.0
  private var compressed: UnsafeMutableRawBufferPointer

  /// Opens the output; nil, `-` and `/dev/stdout` are standard output.
  package convenience init(_ path: String?, compressionThreads: Int = 1, isVerbatim: Bool = false) throws {
    try self.init(.path(path), compressionThreads: compressionThreads, isVerbatim: isVerbatim)
  }

  /// If `isVerbatim`, what is written is all of a file of that name: it is neither compressed for the sake of the name, nor
  /// does the name have to be one of text.
  package init(_ sink: OutputSink, compressionThreads: Int = 1, isVerbatim: Bool = false) throws {
    let path = sink.name
    if path == "" {
      throw Failure(.usage, "an output has an empty name", remedy: "Give a path, or - for standard output")
    }
    self.path = path == nil || path == "/dev/stdout" ? "-" : path!
    if case .path = sink, !isVerbatim, !Path.exists(self.path) || Path.isRegularFile(self.path) {
      try OutputName.checkCompression(self.path)
    }
    // A symbolic link stays: the file that it points to is replaced.
    let target = Path.resolvingLinks(self.path)
    let directory = Path.directory(of: target)
    let temporary = TemporaryName.path(for: target, .file)
    (self.target, self.temporary) = (target, temporary)
    if case .pipe(let pipe) = sink { self.pipe = pipe } else { pipe = nil }
    if self.path == "-" || pipe != nil {
      isStream = true
      descriptor = STDOUT_FILENO
    } else if Path.isDirectory(target) || target.hasSuffix("/") {
      throw Failure(.inputOutput, "is a directory", file: self.path, remedy: "Give the name of a file")
    } else if Path.exists(target) && !Path.isRegularFile(target) {
      isStream = true
      descriptor = try SystemCall.open(target, O_WRONLY)
    } else {
      isStream = false
      if !Path.isDirectory(directory) { try SystemCall.makeDirectories(directory) }
      var replaced = stat()
      let replaces = stat(target, &replaced) == 0
      // Never readable by more people than the file that it replaces.
      let mode = replaces ? replaced.st_mode & 0o777 : 0o666
      descriptor = try HalfWritten.claim(temporary, for: target) {
        try SystemCall.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
      }
      if replaces {
        // Only the superuser can give a file away; where that fails it is this user's, as any new file.
        if fchown(descriptor, replaced.st_uid, replaced.st_gid) != 0 {
          fchown(descriptor, uid_t.max, replaced.st_gid)
        }
        fchmod(descriptor, mode)
      }
    }
    disk = WriteBehind(descriptor, path: self.path == "-" ? "standard output" : self.path)
    buffer = .allocate(byteCount: 1 << 18, alignment: 64)
    compressed = .allocate(byteCount: 1 << 18, alignment: 64)
    if pipe != nil || isVerbatim { return }
    let coding = OutputName.coding(of: self.path)
    if coding == .zstd {
      zstd = ZSTD_createCCtx()
      ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, 3)
      ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)
      // The bytes do not depend on the number of workers, but zstd without any worker writes other bytes.
      ZSTD_CCtx_setParameter(zstd, ZSTD_c_nbWorkers, Int32(max(1, compressionThreads)))
    } else if coding == .gzip {
      let disk = disk
      gzip = GzipMembers(threads: max(1, compressionThreads)) { member in
        try member.withUnsafeBytes { try disk.write($0) }
      }
    }
  }

  deinit {
    if isOpen { discard() }
    if let zstd { ZSTD_freeCCtx(zstd) }
    buffer.deallocate()
    compressed.deallocate()
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    bytesWritten += bytes.count
    if bytes.count >= buffer.count {
      try flush()
      try emit(bytes, isLast: false)
      return
    }
    if buffered + bytes.count > buffer.count { try flush() }
    if let address = bytes.baseAddress {
      memcpy(buffer.baseAddress! + buffered, address, bytes.count)
      buffered += bytes.count
    }
    if isStream { try flushNowAndThen() }
  }

  /// Flushes a stream at most 25 times a second: its reader gets slow output at once and fast output in large
  /// blocks.
  private func flushNowAndThen() throws {
    let now = Progress.now()
    if now - lastFlush < 0.04 { return }
    lastFlush = now
    try flush()
  }

  package func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  package func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }

  /// Writes all buffered bytes to the system, so that the reader of a pipe gets them.
  package func flush() throws {
    if buffered > 0 {
      let count = buffered
      buffered = 0
      try emit(UnsafeRawBufferPointer(rebasing: buffer[..<count]), isLast: false)
    }
  }

  /// Opens what has been written so far for reading. It stays readable when the file is discarded.
  ///
  /// The caller closes the descriptor.
  package func openWritten() throws -> Int32 {
    try flush()
    if isStream || zstd != nil || gzip != nil {
      throw Failure(
        .usage, "cannot be read again, which its format needs", file: path, remedy: "Give the name of a file")
    }
    return try SystemCall.open(temporary, O_RDONLY)
  }

  /// Completes the file and gives it its name; nothing can be written afterwards.
  package func finish() throws {
    try flush()
    try emit(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
    if isStream {
      isOpen = false
      pipe?.end()
      if descriptor != STDOUT_FILENO { close(descriptor) }
      return
    }
    // Locked until it has its name, so that another process sees that it is being written.
    try SystemCall.sync(descriptor, path: path)
    try SystemCall.rename(temporary, to: target)
    HalfWritten.remove(temporary)
    isOpen = false
    close(descriptor)
  }

  /// Removes the file, unless it is finished.
  package func discard() {
    guard isOpen else { return }
    isOpen = false
    pipe?.writerLeaves()
    if !isStream {
      unlink(temporary)
      HalfWritten.remove(temporary)
    }
    if descriptor != STDOUT_FILENO { close(descriptor) }
  }

  private func emit(_ bytes: UnsafeRawBufferPointer, isLast: Bool) throws {
    if let pipe {
      try pipe.write(bytes)
    } else if zstd != nil {
      try emitZstd(bytes, isLast: isLast)
    } else if let gzip {
      try gzip.add(bytes)
      if isLast { try gzip.finish() }
    } else {
      try disk.write(bytes)
    }
  }

  private func emitZstd(_ bytes: UnsafeRawBufferPointer, isLast: Bool) throws {
    var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    while true {
      var target = ZSTD_outBuffer(dst: compressed.baseAddress, size: compressed.count, pos: 0)
      let left = ZSTD_compressStream2(zstd, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
      if ZSTD_isError(left) != 0 {
        throw Failure(.failed, "zstd: \(String(cString: ZSTD_getErrorName(left)))", file: path)
      }
      try disk.write(UnsafeRawBufferPointer(rebasing: compressed[..<target.pos]))
      if isLast ? left == 0 : source.pos == source.size { return }
    }
  }
}
