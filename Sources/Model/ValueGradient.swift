import CKernels

/// The sparse gradient of a value table: one compact row for each slot read since it was last cleared, whatever the
/// number of micro-batches.
package final class ValueGradient<Scalar: Real> {
  /// Slot of each row, in order of appearance.
  let ids: UnsafeMutablePointer<Int32>
  let rows: Matrix<Scalar>
  private(set) var count = 0
  /// Row of each slot, -1 for slots not read.
  private let rowOfSlot: UnsafeMutablePointer<Int32>

  // What one micro-batch needs: its reads sorted by slot.
  let slots: Int
  private let counts: UnsafeMutablePointer<Int32>
  let starts: UnsafeMutablePointer<Int32>
  let order: UnsafeMutablePointer<Int32>
  let touched: UnsafeMutablePointer<Int32>
  let rowOfTouched: UnsafeMutablePointer<Int32>
  let isNew: UnsafeMutablePointer<UInt8>

  /// - Parameters:
  ///   - reads: at most in one micro-batch.
  ///   - rows: gradient rows at most; `min(slots, reads · micro-batches)` always suffices.
  package init(slots: Int, dimension: Int, reads: Int, rows capacity: Int, in plan: inout ArenaPlan) {
    self.slots = slots
    let touchable = min(slots, reads)
    ids = plan.take(Int32.self, capacity)
    rows = plan.matrix(capacity, dimension)
    rowOfSlot = plan.take(Int32.self, slots)
    counts = plan.take(Int32.self, slots)
    starts = plan.take(Int32.self, touchable + 1)
    order = plan.take(Int32.self, reads)
    touched = plan.take(Int32.self, touchable)
    rowOfTouched = plan.take(Int32.self, touchable)
    isNew = plan.take(UInt8.self, touchable)
    if !plan.isPlanning { rowOfSlot.update(repeating: -1, count: slots) }
  }

  /// The rows gathered so far.
  package var touchedRows: TouchedRows<Scalar> {
    TouchedRows(
      ids: UnsafeBufferPointer(start: ids, count: count),
      rows: rows.rows(0..<count))
  }

  package func clear() {
    for row in 0..<count { rowOfSlot[Int(ids[row])] = -1 }
    count = 0
  }

  /// Sorts reads by slot, stably, gives every slot a row, and returns the number of different slots.
  func sort(_ slotOfRead: UnsafePointer<Int32>, reads: Int) -> Int {
    let found = sort_reads(reads, slots, slotOfRead, counts, touched, starts, order)
    for i in 0..<found {
      let slot = Int(touched[i])
      isNew[i] = rowOfSlot[slot] < 0 ? 1 : 0
      if isNew[i] == 1 {
        precondition(count < rows.rows, "more micro-batches than the model was made for")
        rowOfSlot[slot] = Int32(count)
        ids[count] = Int32(slot)
        count += 1
      }
      rowOfTouched[i] = rowOfSlot[slot]
    }
    return found
  }
}
