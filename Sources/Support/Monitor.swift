import Foundation

/// State that several threads share and wait for: a monitor (Hoare, 1974).
package final class Monitor<State: Sendable>: @unchecked Sendable {
  // `state` is touched only while `condition` is locked.
  private var state: State
  private let condition = NSCondition()

  package init(_ state: State) { self.state = state }

  /// Reads or changes the state, and wakes the threads that wait for a change.
  package func update<Value>(_ body: (inout State) throws -> Value) rethrows -> Value {
    try wait { try body(&$0) }
  }

  /// Waits until `body` returns a value; it is called again after every change.
  ///
  /// `body` may change the state when it returns a value.
  package func wait<Value>(for body: (inout State) throws -> Value?) rethrows -> Value {
    condition.lock()
    defer {
      condition.broadcast()
      condition.unlock()
    }
    while true {
      if let value = try body(&state) { return value }
      condition.wait()
    }
  }

  /// Waits until `body` returns a value; throws when a signal asks the process to stop.
  ///
  /// `body` only reads the state, so no other thread is woken.
  package func waitInterruptibly<Value>(for body: (State) throws -> Value?) throws -> Value {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let value = try body(state) { return value }
      try Interruption.check()
      // A signal does not wake a thread that waits for a condition, so look now and then.
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1))
    }
  }
}
