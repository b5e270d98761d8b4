/// The sparse gradient of a value table, as the reads that it comes from: of each micro-batch the slots, the weights and
/// the gradient dy of what was read.
///
/// The gradient row of a slot is Σ weight · dy over its reads. Operations compute rows where they use them and never store
/// them: all reads of a token share one dy, so the reads take a hundredth of the memory of the rows.
package final class ValueGradient<Scalar: Real> {
  /// Slots of the table, and reads of one token.
  package let slots, readsPerToken: Int
  /// Tokens gathered so far.
  package private(set) var tokens = 0
  private let slotOfRead: DeviceArray<Int32>
  private let weightOfRead: Matrix<Scalar>
  private let dyOfToken: Matrix<Scalar>

  /// Buffers in which a device sorts the reads of some tokens by slot.
  let sorting: Sorting
  /// What ``sorting`` holds; a device that sorts elsewhere leaves it alone.
  var sorted = (tokens: 0..<0, slotCount: 0)

  /// Reads by slot: read `reads[starts[i]..<starts[i + 1]]` are those of `slots[i]`.
  struct Sorting {
    let slots, starts, reads: DeviceArray<Int32>
    /// One for each slot of the table.
    let counts: DeviceArray<Int32>
  }

  /// - Parameters:
  ///   - tokens: of all micro-batches of a step at most.
  ///   - reads: of one token.
  package init(slots: Int, dimension: Int, tokens: Int, reads: Int, in plan: inout ArenaPlan) {
    (self.slots, readsPerToken) = (slots, reads)
    let touchable = min(slots, tokens * reads)
    slotOfRead = plan.take("reads.slots", Int32.self, tokens * reads)
    weightOfRead = plan.matrix("reads.weights", tokens, reads)
    dyOfToken = plan.matrix("reads.dy", tokens, dimension)
    sorting = Sorting(
      slots: plan.take("sorting.slots", Int32.self, touchable),
      starts: plan.take("sorting.starts", Int32.self, touchable + 1),
      reads: plan.take("sorting.reads", Int32.self, tokens * reads),
      counts: plan.take("sorting.counts", Int32.self, slots))
  }

  /// Everything gathered so far; reads of one token follow each other.
  package var gathered: Reads { reads(of: 0..<tokens) }

  package struct Reads: Sendable {
    package let slots: DeviceArray<Int32>
    /// Tokens × reads per token.
    package let weights: Matrix<Scalar>
    /// Tokens × dimension.
    package let dy: Matrix<Scalar>
  }

  func reads(of tokens: Range<Int>) -> Reads {
    Reads(
      slots: slotOfRead[tokens.lowerBound * readsPerToken..<tokens.upperBound * readsPerToken],
      weights: weightOfRead.rows(tokens), dy: dyOfToken.rows(tokens))
  }

  package func clear() {
    tokens = 0
    sorted = (0..<0, 0)
  }

  /// Reserves the next `count` tokens; the operation that calls this writes their reads.
  func append(tokens count: Int) -> Range<Int> {
    let new = tokens..<tokens + count
    precondition(new.upperBound <= dyOfToken.rows, "more micro-batches than the model was made for")
    tokens = new.upperBound
    return new
  }
}
