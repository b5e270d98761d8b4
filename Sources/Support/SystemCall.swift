import Foundation

/// File operations of the C library: they retry on `EINTR`, and their errors are a ``Failure`` that names the
/// file.
package enum SystemCall {
  package static func failure(_ action: String, _ path: String, code: Int32 = errno) -> Failure {
    let remedy: String? =
      switch code {
      case ENOSPC, EDQUOT: "Free some space and run the same command again"
      case EACCES, EPERM, EROFS: "Check the permissions of the file and of its directory"
      case ENOENT: "Check the spelling of the path"
      case EFBIG: "Raise the limit of the size of a file (ulimit -f), or write to another file system"
      case ELOOP: "Remove the symbolic link, or name its target"
      case EMFILE, ENFILE: "Raise the limit of open files (ulimit -n)"
      case EEXIST, ENOTDIR: "Remove or rename the file that has the name of a directory"
      case ENOMEM: "Free some memory and run the same command again"
      case EIO: "Check the disk: dmesg shows what the system reports"
      default: nil
      }
    return Failure(
      code == EPIPE ? .closedPipe : .inputOutput, "cannot \(action): \(String(cString: strerror(code)))",
      file: path, remedy: remedy)
  }

  /// The `errno` of an error of Foundation's file operations.
  package static func code(of error: any Error) -> Int32 {
    ((error as? CocoaError)?.userInfo[NSUnderlyingErrorKey] as? POSIXError)?.code.rawValue ?? EIO
  }

  package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o666) throws -> Int32 {
    while true {
      let descriptor = Foundation.open(path, flags | O_CLOEXEC, mode)
      if descriptor >= 0 { return descriptor }
      if errno != EINTR { throw failure(flags & O_CREAT != 0 ? "create" : "open", path) }
      // A named pipe without a writer.
      try Interruption.check()
    }
  }

  /// Creates a directory that only this user can enter, and opens it. Throws if there is anything of that name.
  package static func makeNewDirectory(_ path: String) throws -> Int32 {
    if mkdir(path, 0o700) != 0 { throw failure("create the directory", path) }
    return try open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  }

  /// The bits that the user's umask takes from the mode of a new file.
  package static let umask: mode_t = {
    // Asking for it by `umask` would change it for all threads.
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("Umask:") }
    return line.flatMap { mode_t($0.dropFirst(6).trimmingCharacters(in: .whitespaces), radix: 8) } ?? 0o022
  }()

  /// Reads some bytes and returns their number; 0 at the end of the file.
  package static func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, path: String)
    throws -> Int
  {
    while true {
      let count = Foundation.read(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      if errno != EINTR { throw failure("read", path) }
      try Interruption.check()
    }
  }

  /// Reads some bytes at an offset and returns their number; 0 at the end of the file.
  package static func read(
    _ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer, path: String
  ) throws -> Int {
    while true {
      let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
      if count >= 0 { return count }
      if errno != EINTR { throw failure("read", path) }
      try Interruption.check()
    }
  }

  /// Waits until a pipe, a socket or a terminal has something to read, or has ended: a signal ends the waiting.
  ///
  /// A read alone would miss a signal that comes just before it, and wait on.
  package static func waitForInput(_ descriptor: Int32) throws {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while true {
      let ready = poll(&wait, 1, 100)
      // What cannot be polled is read all the same.
      if ready > 0 || ready < 0 && errno != EINTR { return }
      try Interruption.check()
    }
  }

  /// Writes all bytes.
  package static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, path: String) throws {
    var rest = bytes
    while !rest.isEmpty {
      let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
      if count >= 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      } else if errno != EINTR {
        throw failure("write", path)
      } else {
        // A pipe whose reader waits.
        try Interruption.check()
      }
    }
  }

  /// Writes all bytes to a pipe, a socket or a terminal, whose reader may be slow or wait: a signal ends the waiting.
  package static func writeStream(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, path: String) throws {
    let capacity = Int(fcntl(descriptor, 1032))  // F_GETPIPE_SZ of linux/fcntl.h
    var rest = bytes
    while !rest.isEmpty {
      // A write as large as the pipe would wait in the system where no signal need reach it. What an empty pipe holds can
      // be written without waiting, and so can a page where poll says that there is room.
      var held: Int32 = 1
      let isEmpty = capacity > 0 && ioctl(descriptor, UInt(FIONREAD), &held) == 0 && held == 0
      if !isEmpty {
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while poll(&wait, 1, 100) <= 0 { try Interruption.check() }
      }
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(isEmpty ? capacity : 4096))
      try write(descriptor, part, path: path)
      rest = UnsafeRawBufferPointer(rebasing: rest[part.count...])
    }
  }

  /// Asks the system to start writing a range of an open file to disk. Errors are ignored: they only cost
  /// time.
  package static func startWriting(_ descriptor: Int32, from: Int, count: Int) {
    let writeFlag: UInt32 = 2  // SYNC_FILE_RANGE_WRITE of linux/fs.h
    _ = syncFileRange?(descriptor, Int64(from), Int64(count), writeFlag)
  }

  // glibc's headers hide it from Swift, as they hide renameat2.
  private static let syncFileRange = dlsym(nil, "sync_file_range").map {
    unsafeBitCast($0, to: (@convention(c) (Int32, Int64, Int64, UInt32) -> Int32).self)
  }

  /// Makes the data of an open file durable.
  ///
  /// Does nothing for pipes and devices, which cannot be synced.
  package static func sync(_ descriptor: Int32, path: String) throws {
    if fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS { throw failure("sync", path) }
  }

  /// Makes a rename inside the directory durable.
  package static func syncDirectory(_ path: String) throws {
    let descriptor = try open(path, O_RDONLY | O_DIRECTORY)
    defer { close(descriptor) }
    try sync(descriptor, path: path)
  }

  package static func rename(_ from: String, to: String) throws {
    if Foundation.rename(from, to) != 0 { throw failure("rename a finished file to", to) }
    try syncDirectory(Path.directory(of: to))
  }

  /// Removes a file or a directory. It is renamed first, so that a killed process never leaves a part of it
  /// under its name.
  package static func remove(_ path: String) throws {
    let leaving = TemporaryName.path(for: path, .removed)
    if Foundation.rename(path, leaving) != 0 { throw failure("remove", path) }
    try FileManager.default.removeItem(atPath: leaving)
  }

  /// Swaps two paths atomically; both must exist.
  package static func exchange(_ one: String, _ other: String) throws {
    // glibc has renameat2 since 2.28, but its headers hide it from Swift.
    typealias RenameAt2 =
      @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
    guard let symbol = dlsym(nil, "renameat2") else {
      throw Failure(
        .failed, "the C library has no renameat2", file: other, remedy: "Update to glibc 2.28 or later")
    }
    let exchangeFlag: UInt32 = 2  // RENAME_EXCHANGE of linux/fs.h
    if unsafeBitCast(symbol, to: RenameAt2.self)(AT_FDCWD, one, AT_FDCWD, other, exchangeFlag) != 0 {
      throw failure("exchange a finished directory with", other)
    }
    try syncDirectory(Path.directory(of: other))
  }

  /// The names in a directory, in no particular order.
  ///
  /// Foundation's function ignores an error in the middle of a directory and returns the names before it.
  package static func names(in directory: String) throws -> [String] {
    guard let stream = opendir(directory) else { throw failure("list the directory", directory) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw failure("list the directory", directory) }
        return names
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
  }

  package static func makeDirectories(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw failure("create the directory", path, code: code(of: error))
    }
  }

  /// The peak resident memory of this process in bytes; 0 if the system does not report it.
  ///
  /// Not from `getrusage`, which includes the memory of the process that started this one.
  package static var peakMemory: Int {
    peakMemory(of: (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? "")
  }

  /// The peak resident memory in the text of `/proc/PID/status`: `VmHWM:`, a tab, the number padded to eight
  /// columns, ` kB`.
  package static func peakMemory(of status: String) -> Int {
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return 1024 * (line?.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first ?? 0)
  }
}
