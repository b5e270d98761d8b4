import ArgumentParser
import Foundation
import Support

extension ParsableCommand {
  /// Runs the tool: the only place that decides about signals, exit codes and the form of messages.
  package static func runAsTool() -> Never {
    occupyStandardStreams()
    Interruption.install()
    MemoryExhaustion.install(tool: _commandName)
    keepFreedMemory()
    do {
      let command = Command(value: try parsedAsRoot())
      if let documented = command.value as? any DocumentedCommand {
        try OwnFiles.register(documented.files)
      }
      try Interruption.run { try command.run() }
      try Terminal.finish()
      HalfWritten.removeAll()
      Foundation.exit(0)
    } catch {
      HalfWritten.removeAll()
      guard let failure = error as? Failure ?? Failure(foundation: error) else {
        guard let help = HelpPage(for: error, of: Self.self) else {
          let (text, code) = (fullMessage(for: error), exitCode(for: error))
          if code == .success { exitPrinting(text) }
          Log.line(
            InvalidValue.explained(text, arguments: Array(CommandLine.arguments.dropFirst())) { arguments in
              do { _ = try parseAsRoot(arguments) } catch { return fullMessage(for: error) }
              return nil
            })
          Foundation.exit(code.rawValue)
        }
        exitPrinting(help.text)
      }
      exitFailing(failure)
    }
  }

  private static func parsedAsRoot() throws -> any ParsableCommand {
    let arguments = Array(CommandLine.arguments.dropFirst())
    let short = Operands.shortened(arguments)
    // A message names the arguments themselves.
    do { return try parseAsRoot(short) } catch  where short.count < arguments.count {
      return try parseAsRoot(arguments)
    }
  }

  private static func exitPrinting(_ text: String) -> Never {
    print(text)
    do { try Terminal.finish() } catch {
      if let failure = error as? Failure { exitFailing(failure) }
    }
    Foundation.exit(0)
  }

  private static func exitFailing(_ failure: Failure) -> Never {
    if failure.kind == .closedPipe { Foundation.exit(0) }
    Log.line("\(_commandName): error: \(failure)")
    // What other threads still use must not be taken apart.
    if Interruption.hasAbandonedThreads { _exit(failure.kind.rawValue) }
    Foundation.exit(failure.kind.rawValue)
  }
}

/// The command, for the thread that runs it.
private final class Command: @unchecked Sendable {
  private(set) var value: any ParsableCommand

  init(value: any ParsableCommand) { self.value = value }

  func run() throws { try value.run() }
}

/// Occupies the standard streams that the caller has closed.
///
/// Otherwise the next file to be opened would become standard output. Using a closed stream remains an error.
private func occupyStandardStreams() {
  for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) == -1 {
    _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
  }
}

/// Makes the allocator keep up to 256 MB of freed memory.
///
/// Batches of a megabyte are allocated and freed all the time. If the allocator returned their memory to the system
/// in between, the page faults on the next use would cost more than the work itself.
private func keepFreedMemory() {
  // The Swift module of glibc lacks mallopt, and other C libraries do not have it.
  guard let address = dlsym(nil, "mallopt") else { return }
  let mallopt = unsafeBitCast(address, to: (@convention(c) (Int32, Int32) -> Int32).self)
  let trimThreshold: Int32 = -1, mapThreshold: Int32 = -3
  _ = mallopt(trimThreshold, 256 << 20)
  _ = mallopt(mapThreshold, 32 << 20)
  // Every further arena reserves 64 MB of addresses. Where these are scarce, a thread that gets none would ask the system
  // for each small piece.
  let mostArenas: Int32 = -8
  if let limit = MemoryLimit.ofProcess(), limit < 4 << 30 { _ = mallopt(mostArenas, 1) }
}
