@testable import Model

#if os(Linux) && arch(x86_64)
  import Foundation
  import Synchronization

  /// Interrupts a thread over and over and looks where its stack pointer is.
  enum SignalProbe {
    private static let frame = Atomic<Int>(0), seen = Atomic<Int>(0), astray = Atomic<Int>(0)
    private static let isDone = Atomic<Bool>(false)
    private static let isInUse = Mutex(())

    /// Repeats `body` on this thread until `signals` signals have arrived.
    ///
    /// Returns how many did and how many of them found the stack pointer further than a megabyte from here, which is not on the stack.
    /// Their handler has a stack of its own, so nothing is damaged even then. Gives up where none arrive within ten seconds.
    static func count(signals: Int, _ body: () -> Void) -> (seen: Int, astray: Int) {
      isInUse.withLock { _ in
        var mark = 0
        withUnsafePointer(to: &mark) { frame.store(Int(bitPattern: $0), ordering: .relaxed) }
        seen.store(0, ordering: .relaxed)
        astray.store(0, ordering: .relaxed)
        isDone.store(false, ordering: .relaxed)

        let bytes = 1 << 16
        let space = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        var stack = stack_t(ss_sp: space, ss_flags: 0, ss_size: bytes), oldStack = stack_t()
        sigaltstack(&stack, &oldStack)
        var action = sigaction(), oldAction = sigaction()
        action.__sigaction_handler.sa_sigaction = { _, _, context in SignalProbe.note(context) }
        action.sa_flags = Int32(SA_SIGINFO) | Int32(SA_ONSTACK) | Int32(SA_RESTART)
        sigaction(SIGUSR1, &action, &oldAction)

        // Threads of libdispatch, on which tests run, block signals.
        var probed = sigset_t(), oldMask = sigset_t()
        sigemptyset(&probed)
        sigaddset(&probed, SIGUSR1)
        pthread_sigmask(SIG_UNBLOCK, &probed, &oldMask)

        let target = pthread_self(), ended = DispatchSemaphore(value: 0)
        let sender = Thread {
          while !isDone.load(ordering: .relaxed) {
            pthread_kill(target, SIGUSR1)
            usleep(50)
          }
          ended.signal()
        }
        sender.start()
        let limit = Date(timeIntervalSinceNow: 10)
        while seen.load(ordering: .relaxed) < signals && Date() < limit { body() }
        isDone.store(true, ordering: .relaxed)
        ended.wait()

        pthread_sigmask(SIG_SETMASK, &oldMask, nil)
        sigaction(SIGUSR1, &oldAction, nil)
        sigaltstack(&oldStack, nil)
        space.deallocate()
        return (seen.load(ordering: .relaxed), astray.load(ordering: .relaxed))
      }
    }

    /// Runs in the handler: atomics only.
    private static func note(_ context: UnsafeMutableRawPointer?) {
      let registers = context!.assumingMemoryBound(to: ucontext_t.self).pointee.uc_mcontext.gregs
      let stackPointer = Int(registers.15)  // REG_RSP
      if abs(stackPointer - frame.load(ordering: .relaxed)) > 1 << 20 { astray.add(1, ordering: .relaxed) }
      seen.add(1, ordering: .relaxed)
    }
  }
#endif
