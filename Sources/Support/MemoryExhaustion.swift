import Foundation
import Synchronization

/// Ends the process with the exit code of a machine's failure where memory has run out.
///
/// The Swift runtime and C++ libraries know no other answer to a failed allocation than a signal that looks like a crash
/// of the program. So the handler of these signals looks whether memory is what is missing. The thread that failed must do
/// nothing more; the main thread, which waits in ``Interruption/run(_:)``, removes what is half written and ends the
/// process.
package enum MemoryExhaustion {
  private static let noticed = Atomic<Bool>(false)

  /// Whether a thread has run out of memory.
  package static var isNoticed: Bool { noticed.load(ordering: .relaxed) }

  package static var failure: Failure { .noMemory("to go on") }

  /// The message of a process that cannot even say so itself.
  nonisolated(unsafe) private static var message = UnsafeRawBufferPointer(start: nil, count: 0)
  nonisolated(unsafe) private static var mainThread = pthread_self()

  /// What the end of the process has for itself: given back when memory has run out.
  nonisolated(unsafe) private static var reserve: UnsafeMutableRawPointer?
  private static let reserveBytes = 4 << 20

  /// Installs the handlers; call it once, on the main thread.
  package static func install(tool: String) {
    let text = Array("\(tool): error: \(failure)\n".utf8)
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
    copy.copyBytes(from: text)
    message = UnsafeRawBufferPointer(copy)
    mainThread = pthread_self()
    let mapping = mmap(
      nil, reserveBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    reserve = mapping == MAP_FAILED ? nil : mapping
    _ = isNoticed
    for number in [SIGABRT, SIGILL, SIGTRAP, SIGSEGV] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { MemoryExhaustion.handle($0) }
      sigaction(number, &action, nil)
    }
  }

  /// Whether an allocation has just failed on this thread, or the least one would.
  package static var isCause: Bool {
    errno == ENOMEM || !hasRoom(16 << 20)
  }

  /// Whether the system would give the process so many bytes more.
  package static func hasRoom(_ bytes: Int) -> Bool {
    let probe = mmap(
      nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if probe == MAP_FAILED { return false }
    munmap(probe, bytes)
    return true
  }

  /// Runs in a signal handler: no allocation, no lock.
  private static func handle(_ number: Int32) {
    guard isNoticed || isCause else {
      // A fault of the program: the signal comes again, with its usual end.
      signal(number, SIG_DFL)
      return
    }
    if let mapping = reserve {
      reserve = nil
      munmap(mapping, reserveBytes)
    }
    let isFirst = !noticed.exchange(true, ordering: .relaxed)
    if isFirst && pthread_equal(pthread_self(), mainThread) == 0 {
      // Time for the main thread to end the process.
      for _ in 0..<10 { usleep(100_000) }
    }
    endAtOnce()
  }

  /// Writes the message and ends the process, without memory.
  package static func endAtOnce() -> Never {
    _ = write(STDERR_FILENO, message.baseAddress, message.count)
    _exit(Failure.Kind.inputOutput.rawValue)
  }
}
