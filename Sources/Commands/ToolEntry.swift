import ArgumentParser
import Foundation
import Support

extension ParsableCommand {
  /// The entry of both tools: signals, exit codes and the form of messages are decided here and nowhere else.
  package static func runAsTool() -> Never {
    occupyStandardStreams()
    Interruption.install()
    keepFreedMemory()
    do {
      var command = try parseAsRoot()
      try command.run()
      HalfWritten.removeAll()
      Foundation.exit(0)
    } catch {
      HalfWritten.removeAll()
      guard let failure = error as? Failure else { exit(withError: error) }
      if failure.kind == .closedPipe { Foundation.exit(0) }
      Log.line("\(_commandName): error: \(failure)")
      Foundation.exit(failure.kind.rawValue)
    }
  }
}

/// A standard stream that the caller has closed must not become a file that is opened later: using it stays an error.
private func occupyStandardStreams() {
  for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) == -1 {
    _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
  }
}

/// Batches of a megabyte come and go all the time.
///
/// Memory that the allocator returns in between comes back as page faults, which cost more than the work, so
/// it keeps up to 256 MB.
private func keepFreedMemory() {
  // glibc's mallopt, which its Swift module leaves out; other C libraries do without.
  guard let address = dlsym(nil, "mallopt") else { return }
  let mallopt = unsafeBitCast(address, to: (@convention(c) (Int32, Int32) -> Int32).self)
  let trimThreshold: Int32 = -1, mapThreshold: Int32 = -3
  _ = mallopt(trimThreshold, 256 << 20)
  _ = mallopt(mapThreshold, 32 << 20)
}
