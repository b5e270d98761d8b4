import Dispatch
import Foundation
import Support
import Synchronization

/// Steps that run at once, each command on a thread of its own, every one reading what the one before writes while it is
/// written.
struct StepChain {
  let steps: [PlannedStep]

  /// Runs all of them; the first error that is not another's echo is thrown.
  ///
  /// `display` is asked for what shows the progress of each, by its number.
  func run(display: (_ row: Int) -> (any ProgressDisplay)?) throws {
    let pipes = steps.dropLast().map { InnerPipe($0.output) }
    let errors = Mutex<[any Error]>([])
    let running = DispatchGroup()
    for (index, step) in steps.enumerated() {
      nonisolated(unsafe) let command = step.command
      let input = index > 0 ? pipes[index - 1] : nil
      let output = index < pipes.count ? pipes[index] : nil
      let display = display(index)
      running.enter()
      let thread = Thread {
        do {
          var command = command
          try Progress.$display.withValue(display) { try command.run() }
        } catch {
          errors.withLock { $0.append(error) }
        }
        // Neither neighbour may wait for a command that has ended.
        output?.writerLeaves()
        input?.readerLeaves()
        running.leave()
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
    running.wait()
    let all = errors.withLock { $0 }
    if let error = all.first(where: { !Self.isEcho($0) }) ?? all.first { throw error }
  }

  /// Whether a command failed because its neighbour did.
  private static func isEcho(_ error: any Error) -> Bool { (error as? Failure)?.kind == .closedPipe }
}
