import Foundation

extension ReferenceOperations {
  /// c[i, j] = factor · Σ_k op(a)[i, k] · op(b)[k, j], added to what c holds where `adding` says so.
  package func matmul(
    _ a: Operand<Scalar>, transposed transposesA: Bool, _ b: Operand<Scalar>, transposed transposesB: Bool,
    factor: Double, into c: Matrix<Scalar>, adding: Bool
  ) {
    operation {
      let product = product(a, transposed: transposesA, b, transposed: transposesB)
      for i in 0..<c.rows {
        for j in 0..<c.columns { c[i, j] = (adding ? c[i, j] : 0) + factor * product[i][j] }
      }
    }
  }

  /// The product is never stored itself, only what the epilogue computes from it.
  package func matmul(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, epilogue: Epilogue<Scalar>
  ) {
    operation {
      let product = product(a, transposed: false, b, transposed: transposed)
      for r in 0..<product.count {
        for c in 0..<product[r].count { apply(epilogue, to: product[r][c], r, c) }
      }
    }
  }

  private func apply(_ epilogue: Epilogue<Scalar>, to x: Double, _ r: Int, _ c: Int) {
    switch epilogue {
    case .round(let out):
      out[r, c] = x
    case .bias(let bias, let out):
      out[r, c] = x + bias[c]
    case .biasGELU(let bias, let saved, let out):
      // GELU of the saved number, which is rounded where operands are bfloat16: the backward pass recomputes the same.
      var h = x + bias[c]
      if out.isBF16 { h = BF16.number(BF16.nearest(h)) }
      saved?[r, c] = h
      out[r, c] = gelu(h)
    case .geluBackward(let h, let recomputed):
      let input = h[r, c]
      recomputed[r, c] = gelu(input)
      h[r, c] = x * geluSlope(input)
    case .residual(let stream, let bias, let mask, let out):
      out[r, c] = stream[r, c] + (x + bias[c]) * mask.factor(r * out.columns + c)
    }
  }

  package func addMatmul(
    ofTransposed a: Operand<Scalar>, _ b: Operand<Scalar>, factor: Double, to c: Matrix<Scalar>,
    columnSums: Vector<Scalar>
  ) {
    operation {
      matmul(a, transposed: true, b, transposed: false, factor: factor, into: c, adding: true)
      addColumnSums(of: a, factor: factor, to: columnSums)
    }
  }

  /// op(a) op(b). Beside bfloat16 numbers of a, numbers of b count as if they were rounded to bfloat16, too.
  private func product(
    _ a: Operand<Scalar>, transposed transposesA: Bool, _ b: Operand<Scalar>, transposed transposesB: Bool
  ) -> [[Double]] {
    let left = transposesA ? a.allColumns : a.allRows
    var right = transposesB ? b.allRows : b.allColumns
    if a.isBF16 { right = right.map { column in column.map { BF16.number(BF16.nearest($0)) } } }
    return left.map { row in right.map { column in dot(row, column) } }
  }

  /// x Φ(x), Φ the distribution function of the standard normal distribution (Hendrycks and Gimpel, 2016, section 2),
  /// without their approximation by tanh.
  func gelu(_ x: Double) -> Double { x * normalDistribution(x) }

  /// The derivative Φ(x) + x φ(x), where φ(x) = exp(-x²/2) / √(2π) is the density.
  func geluSlope(_ x: Double) -> Double {
    normalDistribution(x) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
  }

  /// Φ(x) = (1 + erf(x / √2)) / 2, in the form that loses no digits where it is small.
  private func normalDistribution(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }
}
