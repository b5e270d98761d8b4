extension CPUOperations {
  package func layerNorm(
    _ x: Matrix<Scalar>, _ norm: NormParameters<Scalar>, _ statistics: RowStatistics<Scalar>,
    into y: Matrix<Scalar>?, _ operand: Operand<Scalar>
  ) {
    precondition(x.isDense && operand.isDense && x.count == operand.count && norm.gamma.count == x.columns)
    precondition(y.map { $0.isDense && $0.count == x.count } ?? true)
    let kernels = kernels
    // If the operand is reals, it is the result as reals.
    let y = operand.reals ?? y
    forRows(x.rows, width: x.columns) {
      kernels.layer_norm(
        $0.count, x.columns, x.rows($0).pointer, norm.gamma.pointer, norm.beta.pointer,
        NormParameters<Scalar>.epsilon, y?.rows($0).pointer, operand.rows($0).bf16Pointer,
        statistics.mean.pointer + $0.lowerBound,
        statistics.inverseDeviation.pointer + $0.lowerBound)
    }
  }

  package func layerNormBackward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, _ norm: NormParameters<Scalar>, gradient: NormParameters<Scalar>,
    _ statistics: RowStatistics<Scalar>, adding: Bool, into dx: MixedMatrix<Scalar>
  ) {
    precondition(x.isDense && dy.isDense && dx.real.isDense && dx.operand.isDense && x.count == dx.real.count)
    let kernels = kernels
    let columns = x.columns, block = 64, blocks = (x.rows + block - 1) / block
    // Each block of rows has its own sums, which are then added in order.
    scratch.withBuffer(of: Scalar.self, count: blocks * 2 * columns) { buffer in
      let parts = Matrix(buffer, rows: blocks, columns: 2 * columns)
      pool.forEach(blocks) { index, _ in
        let rows = index * block..<min((index + 1) * block, x.rows)
        let part = parts.rows(index..<index + 1).pointer
        kernels.layer_norm_backward(
          rows.count, columns, x.rows(rows).pointer, dy.rows(rows).pointer, norm.gamma.pointer,
          statistics.mean.pointer + rows.lowerBound, statistics.inverseDeviation.pointer + rows.lowerBound,
          adding ? 1 : 0, dx.real.rows(rows).pointer, dx.operand.rows(rows).bf16Pointer, part, part + columns)
      }
      addColumnSums(of: Operand(parts.columns(0..<columns)), factor: 1, to: gradient.gamma)
      addColumnSums(of: Operand(parts.columns(columns..<2 * columns)), factor: 1, to: gradient.beta)
    }
  }

  package func columnStatistics(_ x: Matrix<Scalar>, mean: Vector<Scalar>, variance: Vector<Scalar>) {
    let kernels = kernels
    forColumns(x.columns) {
      kernels.column_statistics(
        x.rows, $0.count, x.columns($0).pointer, x.stride, mean[$0].pointer, variance[$0].pointer)
    }
  }

  package func moveRunningStatistics(
    mean: Vector<Scalar>, variance: Vector<Scalar>, towards batchMean: Vector<Scalar>,
    _ batchVariance: Vector<Scalar>, rows: Int
  ) {
    let unbiased = rows > 1 ? Scalar(rows) / Scalar(rows - 1) : 1
    for c in 0..<mean.count {
      mean.pointer[c] += (batchMean.pointer[c] - mean.pointer[c]) / 10
      variance.pointer[c] += (batchVariance.pointer[c] * unbiased - variance.pointer[c]) / 10
    }
  }

  package func batchNorm(
    _ x: Matrix<Scalar>, _ norm: NormParameters<Scalar>, mean: Vector<Scalar>, variance: Vector<Scalar>,
    into y: Matrix<Scalar>
  ) {
    precondition(x.stride == y.stride)
    let kernels = kernels
    forColumns(x.columns) {
      kernels.batch_norm(
        x.rows, $0.count, x.columns($0).pointer, x.stride, mean[$0].pointer, variance[$0].pointer,
        norm.gamma[$0].pointer, norm.beta[$0].pointer, NormParameters<Scalar>.epsilon, y.columns($0).pointer)
    }
  }

  package func batchNormBackward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, _ norm: NormParameters<Scalar>, gradient: NormParameters<Scalar>,
    mean: Vector<Scalar>, variance: Vector<Scalar>, usesBatch: Bool, into dx: Matrix<Scalar>
  ) {
    precondition(x.stride == dy.stride && x.stride == dx.stride)
    let kernels = kernels
    scratch.withBuffer(of: Scalar.self, count: 2 * x.columns) { sums in
      forColumns(x.columns) {
        kernels.batch_norm_backward(
          x.rows, $0.count, x.columns($0).pointer, dy.columns($0).pointer, x.stride, mean[$0].pointer,
          variance[$0].pointer, norm.gamma[$0].pointer, NormParameters<Scalar>.epsilon, usesBatch ? 1 : 0,
          dx.columns($0).pointer, gradient.gamma[$0].pointer, gradient.beta[$0].pointer,
          sums + 2 * $0.lowerBound)
      }
    }
  }
}
