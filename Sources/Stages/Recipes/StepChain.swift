import Dispatch
import Foundation
import Support
import Synchronization

/// Steps that run at once, each on its own thread, connected by pipes.
struct StepChain {
  let steps: [PlannedStep]

  /// Runs all steps and returns their summaries.
  ///
  /// Throws the first error that is not a consequence of another step's. `display` is asked for what shows the progress of
  /// each step, by its number.
  func run(display: (_ row: Int) -> (any ProgressDisplay)?) throws -> [Summary] {
    let pipes = steps.dropLast().map { InnerPipe($0.output) }
    let results = Mutex<[Int: Summary]>([:])
    let errors = Mutex<[any Error]>([])
    let running = DispatchGroup()
    for (index, step) in steps.enumerated() {
      let command = step.command
      let ends = StagePipes(
        input: index > 0 ? pipes[index - 1] : nil, output: index < pipes.count ? pipes[index] : nil)
      let display = display(index)
      running.enter()
      Thread.start(named: "step \(index)") {
        do {
          let summary = try Progress.$display.withValue(display) {
            let started = Progress.now()
            var summary = try command.run(ends)
            summary[.seconds] = .number(Progress.now() - started)
            return summary
          }
          display?.ended(summary)
          results.withLock { $0[index] = summary }
        } catch {
          errors.withLock { $0.append(error) }
        }
        // Neither neighbour may wait for a step that has ended.
        ends.output?.writerLeaves()
        ends.input?.readerLeaves()
        running.leave()
      }
    }
    running.wait()
    let all = errors.withLock { $0 }
    if let error = all.first(where: { !Self.isEcho($0) }) ?? all.first { throw error }
    return results.withLock { results in steps.indices.map { results[$0]! } }
  }

  /// Whether a step failed because its neighbour did.
  private static func isEcho(_ error: any Error) -> Bool { (error as? Failure)?.kind == .closedPipe }
}
