import CModelKernels

extension CPUOperations {
  /// Copies the reads of a micro-batch to the end of `gradient`, and returns its tokens there.
  func append(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, dy: Matrix<Scalar>, to gradient: ValueGradient<Scalar>
  ) -> Range<Int> {
    precondition(weights.isDense && weights.columns == gradient.readsPerToken)
    let tokens = gradient.append(tokens: weights.rows), reads = gradient.reads(of: tokens)
    reads.slots.pointer.update(from: slots.pointer, count: weights.count)
    reads.weights.pointer.update(from: weights.pointer, count: weights.count)
    copy(dy.elements, to: reads.dy.elements)
    return tokens
  }

  package func append(_ reads: ValueGradient<Scalar>.Reads, to gradient: ValueGradient<Scalar>) {
    _ = append(slots: reads.slots, weights: reads.weights, dy: reads.dy, to: gradient)
  }

  package func touchedSlots(of gradient: ValueGradient<Scalar>) -> Int { sort(gradient).count }

  /// All reads by slot.
  func sort(_ gradient: ValueGradient<Scalar>) -> SortedReads { sort(gradient, tokens: 0..<gradient.tokens) }

  /// The reads of some tokens by slot, stably; they are counted from the first of these tokens.
  func sort(_ gradient: ValueGradient<Scalar>, tokens: Range<Int>) -> SortedReads {
    let sorting = gradient.sorting
    if gradient.sorted.tokens != tokens {
      let slots = gradient.reads(of: tokens).slots
      let count = pkm_sort_reads(
        slots.count, gradient.slots, slots.pointer, sorting.counts.pointer, sorting.slots.pointer,
        sorting.starts.pointer, sorting.reads.pointer)
      gradient.sorted = (tokens, count)
    }
    return SortedReads(
      count: gradient.sorted.slotCount, slots: sorting.slots.pointer, starts: sorting.starts.pointer,
      reads: sorting.reads.pointer)
  }
}

/// Reads by slot, see ``ValueGradient/Sorting``.
struct SortedReads {
  /// Different slots.
  let count: Int
  let slots, starts, reads: UnsafeMutablePointer<Int32>
}
