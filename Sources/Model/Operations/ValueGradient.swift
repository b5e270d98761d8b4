import CModelKernels

/// The sparse gradient of a value table, as the reads that it comes from: of each micro-batch the slots, the weights and
/// the gradient dy of what was read.
///
/// The gradient row of a slot is Σ weight · dy over its reads. Rows are made where they are used and not stored: there is
/// one dy for all the reads of a token, so the reads take a hundredth of the memory of the rows.
package final class ValueGradient<Scalar: Real> {
  /// Slots of the table, and reads of one token.
  package let slots, readsOfToken: Int
  private(set) var tokens = 0
  private let slotOfRead: UnsafeMutablePointer<Int32>
  private let weightOfRead: Matrix<Scalar>
  private let dyOfToken: Matrix<Scalar>

  /// Reads sorted by slot, as ``sort(tokens:)`` found them.
  struct Order {
    var tokens = 0..<0
    /// Different slots.
    var count = 0
    let slots, starts, reads: UnsafeMutablePointer<Int32>
  }
  private var order: Order
  private let counts: UnsafeMutablePointer<Int32>

  /// - Parameters:
  ///   - tokens: of all micro-batches of a step at most.
  ///   - reads: of one token.
  package init(slots: Int, dimension: Int, tokens: Int, reads: Int, in plan: inout ArenaPlan) {
    (self.slots, readsOfToken) = (slots, reads)
    let touchable = min(slots, tokens * reads)
    slotOfRead = plan.take("reads.slots", Int32.self, tokens * reads)
    weightOfRead = plan.matrix("reads.weights", tokens, reads)
    dyOfToken = plan.matrix("reads.dy", tokens, dimension)
    order = Order(
      slots: plan.take("order.slots", Int32.self, touchable),
      starts: plan.take("order.starts", Int32.self, touchable + 1),
      reads: plan.take("order.reads", Int32.self, tokens * reads))
    counts = plan.take("order.counts", Int32.self, slots)
  }

  /// Everything gathered so far; reads of one token follow each other.
  package var gathered: (slots: UnsafeBufferPointer<Int32>, weights: Matrix<Scalar>, dy: Matrix<Scalar>) {
    (
      UnsafeBufferPointer(start: slotOfRead, count: tokens * readsOfToken), weightOfRead.rows(0..<tokens),
      dyOfToken.rows(0..<tokens)
    )
  }

  /// Different slots among them.
  package var touchedSlots: Int { sort(tokens: 0..<tokens).count }

  package func clear() {
    tokens = 0
    (order.tokens, order.count) = (0..<0, 0)
  }

  /// Room for the reads of one more micro-batch; the caller writes the dy.
  func append(slots: UnsafePointer<Int32>, weights: Matrix<Scalar>) -> (
    tokens: Range<Int>, dy: Matrix<Scalar>
  ) {
    let new = tokens..<tokens + weights.rows
    precondition(new.upperBound <= dyOfToken.rows, "more micro-batches than the model was made for")
    precondition(weights.isDense && weights.columns == readsOfToken)
    (slotOfRead + new.lowerBound * readsOfToken).update(from: slots, count: weights.count)
    weightOfRead.rows(new).pointer.update(from: weights.pointer, count: weights.count)
    tokens = new.upperBound
    return (new, dyOfToken.rows(new))
  }

  /// The reads of some tokens by slot, stably; they are counted from the first of these tokens.
  func sort(tokens range: Range<Int>) -> Order {
    if order.tokens != range {
      order.count = sort_reads(
        range.count * readsOfToken, slots, slotOfRead + range.lowerBound * readsOfToken, counts, order.slots,
        order.starts, order.reads)
      order.tokens = range
    }
    return order
  }
}
