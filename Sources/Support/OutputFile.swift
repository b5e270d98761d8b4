import CZstd
import Foundation

/// A file that appears under its name only when it is complete: written beside it under a temporary name,
/// synced, renamed by ``finish()``.
///
/// Dropped without that, it leaves nothing behind. Standard output (`-`) and an ``InnerPipe`` are written directly.
///
/// `.gz` and `.zst` in the name choose the compression: gzip at level 6 in members of a megabyte (``GzipMembers``), zstd at
/// level 3.
package final class OutputFile {
  package let path: String
  /// Uncompressed bytes accepted so far.
  package private(set) var bytesWritten = 0

  private let target: String
  private let temporary: String
  private let descriptor: Int32
  private let pipe: InnerPipe?
  private let disk: WriteBehind
  /// Standard output, a device or a named pipe: there is nothing to rename, bytes go straight to it.
  private let isStream: Bool
  private var isOpen = true
  private var buffer: UnsafeMutableRawBufferPointer
  private var buffered = 0
  private var zstd: OpaquePointer?
  private var gzip: GzipMembers?
  /// When a stream was last flushed, in seconds.
  private var lastFlush = 0.0
  private var compressed: UnsafeMutableRawBufferPointer

  /// nil, `-` or `/dev/stdout` is standard output.
  package init(_ path: String?, compressionThreads: Int = 1) throws {
    if path == "" {
      throw Failure(.usage, "an output has an empty name", remedy: "Give a path, or - for standard output")
    }
    self.path = path == nil || path == "/dev/stdout" ? "-" : path!
    // A link stays a link: the file that it leads to is replaced.
    let target = Path.resolvingLinks(self.path)
    let directory = Path.directory(of: target)
    let temporary = Path.join(directory, ".\(Path.name(of: target)).tmp-\(getpid())")
    (self.target, self.temporary) = (target, temporary)
    pipe = InnerPipe.at(self.path)
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
      guard HalfWritten.insert(temporary) else {
        throw Failure(
          .usage, "two outputs of this command have this name", file: self.path,
          remedy: "Give each a name of its own")
      }
      do { descriptor = try SystemCall.open(temporary, O_WRONLY | O_CREAT | O_TRUNC) } catch {
        HalfWritten.remove(temporary)
        throw error
      }
    }
    disk = WriteBehind(descriptor, path: self.path == "-" ? "standard output" : self.path)
    buffer = .allocate(byteCount: 1 << 18, alignment: 64)
    compressed = .allocate(byteCount: 1 << 18, alignment: 64)
    if pipe != nil { return }
    if self.path.hasSuffix(".zst") {
      zstd = ZSTD_createCCtx()
      ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, 3)
      ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1)
      // One worker writes the same bytes as many; no worker, zstd's other way of working, does not.
      ZSTD_CCtx_setParameter(zstd, ZSTD_c_nbWorkers, Int32(max(1, compressionThreads)))
    } else if self.path.hasSuffix(".gz") {
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

  /// Who reads a pipe or looks at a terminal gets what comes slowly at once, and what comes fast in large pieces.
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

  /// Hands everything accepted so far to the system: what a reader at the other end of a pipe waits for.
  package func flush() throws {
    if buffered > 0 {
      let count = buffered
      buffered = 0
      try emit(UnsafeRawBufferPointer(rebasing: buffer[..<count]), isLast: false)
    }
  }

  /// Completes the file and gives it its name.
  ///
  /// Nothing can be written afterwards.
  package func finish() throws {
    try flush()
    try emit(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
    if isStream {
      isOpen = false
      pipe?.end()
      if descriptor != STDOUT_FILENO { close(descriptor) }
      return
    }
    try SystemCall.sync(descriptor, path: path)
    guard close(descriptor) == 0 else { throw SystemCall.failure("close", path) }
    isOpen = false
    defer { HalfWritten.remove(temporary) }
    do { try SystemCall.rename(temporary, to: target) } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Forgets the file.
  package func discard() {
    guard isOpen else { return }
    isOpen = false
    pipe?.writerLeaves()
    if descriptor != STDOUT_FILENO { close(descriptor) }
    if isStream { return }
    unlink(temporary)
    HalfWritten.remove(temporary)
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

/// A directory that appears under its name only when it is complete.
///
/// Dropped before ``finish()`` it leaves nothing; what a killed run left is cleared by the next one. While it is being
/// written it is locked: a second process that wants the same name is refused at once, not after hours of work.
package final class OutputDirectory {
  package let path: String
  /// Where to write meanwhile: beside `path`, so that the rename is atomic.
  package let temporary: String
  /// Open and locked until the directory is finished or dropped.
  private let descriptor: Int32
  private var isOpen = true

  /// Refuses a name that is taken, unless what stands there is an empty directory.
  package init(_ path: String) throws {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    self.path = path
    temporary = Path.join(Path.directory(of: path), ".\(Path.name(of: path)).tmp-directory")
    descriptor = try Self.claim(temporary, for: path)
    HalfWritten.insert(temporary)
    // Looked at when the lock is held: the one who had it may just have finished.
    if Path.exists(path) {
      let content = Path.isDirectory(path) ? try? FileManager.default.contentsOfDirectory(atPath: path) : nil
      guard content?.isEmpty == true else {
        discard()
        throw Failure(
          .inputOutput, "exists already", file: path, remedy: "Choose another output or remove it first")
      }
    }
  }

  deinit { discard() }

  /// Makes the directory, or takes over and empties the one that a killed process left, and locks it.
  private static func claim(_ temporary: String, for path: String) throws -> Int32 {
    while true {
      try SystemCall.makeDirectories(temporary)
      let descriptor = open(temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      // Another process may have renamed or removed it meanwhile.
      if descriptor < 0 && errno == ENOENT { continue }
      guard descriptor >= 0 else { throw SystemCall.failure("open", temporary) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        close(descriptor)
        throw Failure(
          .failed, "another process is writing this directory", file: path,
          remedy: "Wait until it has ended, or choose another output")
      }
      var opened = stat()
      var named = stat()
      if fstat(descriptor, &opened) == 0, stat(temporary, &named) == 0, opened.st_ino == named.st_ino {
        for name in try FileManager.default.contentsOfDirectory(atPath: temporary) {
          try FileManager.default.removeItem(atPath: Path.join(temporary, name))
        }
        return descriptor
      }
      close(descriptor)
    }
  }

  /// Makes a file in the directory, which ``finish()`` syncs.
  package func write(_ name: String, _ bytes: [UInt8]) throws {
    let path = Path.join(temporary, name)
    let file = try SystemCall.open(path, O_WRONLY | O_CREAT | O_TRUNC)
    defer { close(file) }
    try bytes.withUnsafeBytes { try SystemCall.write(file, $0, path: path) }
  }

  /// Syncs every file and renames the directory into place.
  package func finish() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: temporary) {
      let file = Path.join(temporary, name)
      let descriptor = try SystemCall.open(file, O_RDONLY)
      defer { close(descriptor) }
      try SystemCall.sync(descriptor, path: file)
    }
    try SystemCall.syncDirectory(temporary)
    try SystemCall.rename(temporary, to: path)
    HalfWritten.remove(temporary)
    isOpen = false
    close(descriptor)
  }

  package func discard() {
    guard isOpen else { return }
    isOpen = false
    try? FileManager.default.removeItem(atPath: temporary)
    HalfWritten.remove(temporary)
    close(descriptor)
  }
}
