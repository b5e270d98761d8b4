import CModelKernels

extension CPUOperations {
  @_specialize(where Scalar == Float)
  package func lookup(
    _ shape: MemoryShape, queries: Matrix<Scalar>, subkeys: Matrix<Scalar>,
    slots: DeviceArray<Int32>,
    weights: Matrix<Scalar>
  ) {
    precondition(queries.columns == shape.heads * shape.queryDimension && weights.columns == shape.reads)
    if isWorthEstimating(shape, rows: queries.rows) {
      return search(shape, queries: queries, subkeys: subkeys, slots: slots, weights: weights)
    }
    // Scores are float32 in every precision, because many would tie in 16 bits.
    let kernels = kernels, gemm = gemms.exact
    let n = shape.subkeys, half = shape.half
    // The scores of one block of rows and one head stay in the cache of a core.
    let block = 256, blocks = (queries.rows + block - 1) / block
    let sorting = kernels.product_key_top_k_scratch(n, shape.topk) / MemoryLayout<Scalar>.stride + 16
    let size = MemoryLayout<Scalar>.stride, packing = 128 / size * half
    scratch.withBuffers(
      of: Scalar.self, count: block * 2 * n + packing + sorting, workers: pool.threads
    ) { buffers in
      pool.forEach(blocks * shape.heads) { task, worker in
        let head = task % shape.heads
        let first = task / shape.heads * block, rows = min(block, queries.rows - first)
        let scores = buffers[worker], packed = scores + block * 2 * n
        for side in 0..<2 {
          let left = queries.pointer + first * queries.stride + head * shape.queryDimension + side * half
          let right = subkeys.pointer + (head * 2 + side) * n * half, out = scores + side * n
          // Libraries take three times as long for few rows.
          if rows == 1 {
            kernels.gemv(n, half, left, right, half, out, false)
          } else if isSkinny(rows) {
            kernels.pack_skinny(rows, half, 0, half, left, queries.stride, packed, false)
            let tile = pkm_output_tile(start: out, row_bytes: 2 * n * size, element_bytes: size)
            kernels.gemm_skinny(rows, n, half, packed, right, half, true, out, 2 * n, tile, false)
          } else {
            gemm(false, true, rows, n, half, 1, left, queries.stride, right, half, 0, out, 2 * n)
          }
        }
        let out = first * shape.reads + head * shape.topk
        kernels.product_key_top_k(
          rows, n, shape.topk, scores, scores + n, 2 * n, slots.pointer + out, weights.pointer + out, nil,
          shape.reads,
          packed + packing)
      }
    }
  }

  /// Whether the search by estimates is faster: fewer rows do not make up for packing the sub-keys, and of
  /// fewer sub-keys most are among the best.
  private func isWorthEstimating(_ shape: MemoryShape, rows: Int) -> Bool {
    kernels.search_product_keys != nil && rows >= 256 && shape.subkeys >= 128 && shape.topk <= 64
      && shape.half % 16 == 0
  }

  /// The lookup by scores that are estimated with dot products of bytes; only the few that decide are
  /// computed as reals.
  private func search(
    _ shape: MemoryShape, queries: Matrix<Scalar>, subkeys: Matrix<Scalar>,
    slots: DeviceArray<Int32>,
    weights: Matrix<Scalar>
  ) {
    let kernels = kernels
    let n = shape.subkeys, half = shape.half, lists = 2 * shape.heads
    let packedBytes = kernels.packed_subkeys_size(n, half)
    let workerBytes = (kernels.search_product_keys_scratch(n, shape.topk, half) + 4095) / 4096 * 4096
    scratch.withBuffer(of: UInt8.self, count: lists * packedBytes + pool.threads * workerBytes) { packed in
      let buffers = packed + lists * packedBytes
      pool.forEach(lists) { list, _ in
        kernels.pack_subkeys(n, half, subkeys.pointer + list * n * half, packed + list * packedBytes)
      }
      let block = 48, blocks = (queries.rows + block - 1) / block
      pool.forEach(blocks * shape.heads) { task, worker in
        let head = task % shape.heads
        let first = task / shape.heads * block, out = first * shape.reads + head * shape.topk
        kernels.search_product_keys(
          min(block, queries.rows - first), n, shape.topk, half,
          queries.pointer + first * queries.stride + head * shape.queryDimension, queries.stride,
          subkeys.pointer + 2 * head * n * half, packed + 2 * head * packedBytes, slots.pointer + out,
          weights.pointer + out, shape.reads, buffers + worker * workerBytes)
      }
    }
  }

  package func lookupBackward(
    _ shape: MemoryShape, queries: Operand<Scalar>, subkeys: Operand<Scalar>, slots: DeviceArray<Int32>,
    weights: Matrix<Scalar>, dWeights: Matrix<Scalar>, scoreGradients: Operand<Scalar>,
    dQueries: Matrix<Scalar>, dSubkeys: Matrix<Scalar>
  ) {
    let kernels = kernels
    let n = shape.subkeys, half = shape.half
    let block = 32
    scratch.withBuffers(of: Scalar.self, count: 2 * n, workers: pool.threads) { buffers in
      pool.forEach((queries.rows + block - 1) / block) { index, worker in
        let rows = index * block..<min((index + 1) * block, queries.rows)
        for head in 0..<shape.heads {
          let at = rows.lowerBound * shape.reads + head * shape.topk
          let d = scoreGradients.rows(rows).columns(head * 2 * n..<(head + 1) * 2 * n)
          kernels.product_key_top_k_backward(
            rows.count, n, shape.topk, slots.pointer + at, weights.pointer + at, dWeights.pointer + at,
            shape.reads,
            d.pointer, d.stride, buffers[worker], d.isBF16)
        }
      }
    }
    for part in 0..<2 * shape.heads {
      let d = scoreGradients.columns(part * n..<(part + 1) * n)
      let keys = part * n..<(part + 1) * n
      matmul(d, subkeys.rows(keys), into: dQueries.columns(part * half..<(part + 1) * half))
      matmul(
        d, transposed: true, queries.columns(part * half..<(part + 1) * half), transposed: false, factor: 1,
        into: dSubkeys.rows(keys), adding: true)
    }
  }

  package func weightedSum(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, into y: Matrix<Scalar>
  ) {
    precondition(y.isDense && values.isDense && weights.isDense && values.columns == y.columns)
    let kernels = kernels
    let reads = weights.columns
    forRows(y.rows, width: y.columns * reads / 8) {
      kernels.weighted_sum(
        $0.count, reads, y.columns, slots.pointer + $0.lowerBound * reads, weights.rows($0).pointer,
        values.pointer,
        y.rows($0).pointer, values.isBF16)
    }
  }

  package func weightedSumBackward(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, dy: Matrix<Scalar>,
    dWeights: Matrix<Scalar>, gradient: ValueGradient<Scalar>
  ) {
    precondition(dy.isDense && dWeights.isDense && weights.isDense)
    let kernels = kernels
    let reads = weights.columns
    let tokens = append(slots: slots, weights: weights, dy: dy, to: gradient)
    let order = sort(gradient, tokens: tokens)
    forSlots(order) { slots, _ in
      kernels.weighted_sum_backward(
        slots.count, reads, dy.columns, order.slots + slots.lowerBound, order.starts + slots.lowerBound,
        order.reads, values.pointer, dy.pointer, dWeights.pointer, values.isBF16)
    }
  }

  /// Calls `body` with ranges of the touched slots, of about equal numbers of slots: few slots are read so
  /// often that their range takes longer.
  func forSlots(_ order: SortedReads, _ body: (_ slots: Range<Int>, _ range: Int) -> Void) {
    let ranges = slotRanges(of: order)
    pool.forEach(ranges) { range, _ in
      body(range * order.count / ranges..<(range + 1) * order.count / ranges, range)
    }
  }

  func slotRanges(of order: SortedReads) -> Int { min(order.count, 256) }

  package func accumulateMass(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, into mass: DeviceArray<Double>
  ) {
    kernels.accumulate_mass(weights.count, slots.pointer, weights.elements.pointer, mass.pointer)
  }
}
