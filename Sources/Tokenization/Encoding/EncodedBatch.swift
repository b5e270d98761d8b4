/// The ids of a batch of documents, one document after another.
package struct EncodedBatch: Sendable {
  package var ids: [UInt32] = []
  /// The end of each document in ``ids``.
  package var ends: [Int] = []

  package init(ids: [UInt32] = [], ends: [Int] = []) {
    self.ids = ids
    self.ends = ends
  }

  /// Calls `body` with the ids of one document.
  package func withDocument<Result>(
    _ index: Int, _ body: (UnsafeBufferPointer<UInt32>) throws -> Result
  ) rethrows -> Result {
    let start = index == 0 ? 0 : ends[index - 1]
    return try ids.withUnsafeBufferPointer {
      try body(UnsafeBufferPointer(rebasing: $0[start..<ends[index]]))
    }
  }
}
