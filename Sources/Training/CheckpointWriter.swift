import Dispatch
import Foundation
import Support
import Synchronization

/// Writes checkpoints on a thread of its own, from a copy of the state, while training goes on: training waits for the copy,
/// and for the checkpoint before if that is not on disk yet.
final class CheckpointWriter {
  /// The copy that it reads belongs to it until its end, for which ``finish()`` waits.
  private struct Job: @unchecked Sendable {
    let body: () throws -> Void
  }

  private final class Outcome: Sendable {
    let failure = Mutex<(any Error)?>(nil)
  }

  private var memory: UnsafeMutableRawBufferPointer?
  private let end = DispatchSemaphore(value: 0)
  private let outcome = Outcome()
  private var isWriting = false

  /// Copies the tensors, and calls `write` with the copies on another thread.
  ///
  /// Throws what the checkpoint before has thrown.
  func start(
    _ groups: [[SafeTensors.Tensor]], write: @escaping (_ copies: [[SafeTensors.Tensor]]) throws -> Void
  ) throws {
    try finish()
    let count = groups.joined().reduce(0) { $0 + ($1.byteCount + 63) / 64 * 64 }
    if memory == nil { memory = .allocate(byteCount: count, alignment: 4096) }
    precondition(memory!.count == count, "the state has always the same size")
    var rest = memory![...]
    let copies = groups.map { tensors in
      tensors.map { tensor in
        let part = UnsafeMutableRawBufferPointer(rebasing: rest.prefix(tensor.byteCount))
        rest = rest.dropFirst((tensor.byteCount + 63) / 64 * 64)
        return tensor.copy(in: part)
      }
    }
    let job = Job { try write(copies) }, outcome = outcome, end = end
    isWriting = true
    Thread.start(named: "checkpoint") {
      do { try job.body() } catch { outcome.failure.withLock { $0 = error } }
      end.signal()
    }
  }

  /// Waits until the last checkpoint is on disk. Throws what it has thrown.
  func finish() throws {
    guard isWriting else { return }
    end.wait()
    isWriting = false
    let failure = outcome.failure.withLock { failure in
      defer { failure = nil }
      return failure
    }
    if let failure { throw failure }
  }

  deinit {
    if isWriting { end.wait() }
    memory?.deallocate()
  }
}
