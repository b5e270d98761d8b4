import Synchronization

/// Objects that are costly to make and used by one thread at a time, such as the tables of a compressor.
///
/// There are never more than the largest number that were in use at the same time.
package final class IdlePool<Value>: Sendable {
  /// Only the thread that has taken the value out of the pool uses it.
  private struct Lent: @unchecked Sendable { let value: Value }

  private let idle = Mutex<[Lent]>([])

  package init() {}

  /// Calls `body` with a value that nobody else uses meanwhile: an idle one, or else a new one.
  package func with<Result>(orMake make: () throws -> Value, _ body: (Value) throws -> Result) rethrows
    -> Result
  {
    let lent = try idle.withLock { $0.popLast() } ?? Lent(value: make())
    defer { idle.withLock { $0.append(lent) } }
    return try body(lent.value)
  }

  /// Takes all idle values out of the pool.
  package func removeAll() -> [Value] {
    idle.withLock { idle in
      defer { idle = [] }
      return idle
    }.map(\.value)
  }
}
