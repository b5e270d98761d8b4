/// How long the buffers of a ``BufferScope`` hold what was written into them.
package enum Lifetime: String, Sendable {
  /// From the forward pass of a micro-batch to the backward pass of the same layer.
  case training
  /// Until the next layer of the same forward pass: nothing will go backward through this one, or its activations will
  /// be recomputed.
  case inference
  /// From the loss of a micro-batch to the backward pass of the output head.
  case loss
  /// While one layer, or all blocks of one pass, compute.
  case scratch
}

/// Buffers of an ``ArenaPlan`` that are live together. Buffers of other scopes may occupy the same memory at other times.
///
/// Whoever uses the buffers brackets the use with ``begin()`` and ``end()``. Both do nothing unless the plan was built
/// with checks; then ``begin()`` fails if a live buffer overlaps one of these, and ``end()`` overwrites them with NaN.
package struct BufferScope: Sendable {
  private let ledger: BufferLedger?
  private let index: Int

  init(_ index: Int, in ledger: BufferLedger?) { (self.index, self.ledger) = (index, ledger) }

  package func begin() { ledger?.begin(index) }
  package func end() { ledger?.end(index) }
}

/// The buffers of one arena by name, and which of them are live: finds mistakes in a memory plan.
///
/// Debug builds keep one; release builds do where a test asks for it.
package final class BufferLedger: @unchecked Sendable {
  // Only the thread that calls operations uses it.
  private struct Buffer {
    let name: String
    let bytes: Range<Int>
    let scope: Int
  }

  private struct Scope {
    let name: String
    let lifetime: Lifetime
    var isLive = false
    /// Pairs of buffers that overlap, the first of this scope and the second of another one.
    var conflicts: [(mine: Int, other: Int)] = []
  }

  /// Whether plans keep a ledger where nobody says so: in debug builds.
  package static var isOnByDefault: Bool {
    #if DEBUG
      true
    #else
      false
    #endif
  }

  /// Overwrites bytes of the arena with 0xff, which is NaN in every precision.
  private let poison: (_ bytes: Range<Int>) -> Void
  private var buffers: [Buffer] = []
  /// The first scope is live as long as the arena.
  private var scopes = [Scope(name: "arena", lifetime: .training, isLive: true)]
  private let report: (String) -> Void

  /// - Parameter report: is told of two live buffers that overlap; stops the program unless a test listens.
  init(
    report: @escaping (String) -> Void = { fatalError($0) }, poison: @escaping (_ bytes: Range<Int>) -> Void
  ) {
    (self.report, self.poison) = (report, poison)
  }

  func addScope(_ name: String, _ lifetime: Lifetime) -> Int {
    scopes.append(Scope(name: name, lifetime: lifetime))
    return scopes.count - 1
  }

  func addBuffer(_ name: String, _ bytes: Range<Int>, scope: Int) {
    guard !bytes.isEmpty else { return }
    let new = buffers.count
    buffers.append(Buffer(name: name, bytes: bytes, scope: scope))
    for old in 0..<new where buffers[old].bytes.overlaps(bytes) {
      let other = buffers[old].scope
      if other == scope {
        report("the buffers \(describe(old)) and \(describe(new)) of one scope overlap")
      }
      scopes[scope].conflicts.append((new, old))
      scopes[other].conflicts.append((old, new))
    }
  }

  func begin(_ index: Int) {
    guard !scopes[index].isLive else { return }
    for (mine, other) in scopes[index].conflicts where scopes[buffers[other].scope].isLive {
      report("the buffer \(describe(mine)) would overwrite \(describe(other)), which is live")
    }
    scopes[index].isLive = true
  }

  func end(_ index: Int) {
    guard scopes[index].isLive else { return }
    scopes[index].isLive = false
    for buffer in buffers where buffer.scope == index { poison(buffer.bytes) }
  }

  /// Ends all scopes: a new pass begins.
  package func endAll() {
    for index in scopes.indices.dropFirst() { end(index) }
  }

  private func describe(_ index: Int) -> String {
    let buffer = buffers[index], scope = scopes[buffer.scope]
    return "'\(buffer.name)' (\(scope.name), \(scope.lifetime.rawValue))"
  }
}
