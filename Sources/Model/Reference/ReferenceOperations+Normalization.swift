extension ReferenceOperations {
  /// y = γ · (x - μ) / √(σ² + ε) + β, with the mean μ and the biased variance σ² of each row (Ba et al., 2016, equations 3
  /// and 4).
  package func layerNorm(
    _ x: Matrix<Scalar>, _ norm: NormParameters<Scalar>, _ statistics: RowStatistics<Scalar>,
    into y: Matrix<Scalar>?, _ operand: Operand<Scalar>
  ) {
    operation {
      for r in 0..<x.rows {
        let (mean, variance) = meanAndVariance(x.row(r))
        let inverse = 1 / (variance + NormParameters<Scalar>.epsilon).squareRoot()
        statistics.mean[r] = mean
        statistics.inverseDeviation[r] = inverse
        for c in 0..<x.columns {
          let result = norm.gamma[c] * (x[r, c] - mean) * inverse + norm.beta[c]
          y?[r, c] = result
          operand[r, c] = result
        }
      }
    }
  }

  /// With n = (x - μ) / √(σ² + ε) and g = γ · dy: dx = (g - mean(g) - n · mean(g · n)) / √(σ² + ε), means over the row;
  /// dγ = Σ dy · n and dβ = Σ dy over the rows.
  package func layerNormBackward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, _ norm: NormParameters<Scalar>, gradient: NormParameters<Scalar>,
    _ statistics: RowStatistics<Scalar>, adding: Bool, into dx: MixedMatrix<Scalar>
  ) {
    operation {
      for r in 0..<x.rows {
        let d = dy.row(r), inverse = statistics.inverseDeviation[r]
        let normal = x.row(r).map { ($0 - statistics.mean[r]) * inverse }
        let g = (0..<x.columns).map { norm.gamma[$0] * d[$0] }
        let meanOfG = g.reduce(0, +) / Double(x.columns), meanOfGN = dot(g, normal) / Double(x.columns)
        for c in 0..<x.columns {
          let result = (g[c] - meanOfG - normal[c] * meanOfGN) * inverse
          dx.real[r, c] = (adding ? dx.real[r, c] : 0) + result
          dx.operand[r, c] = dx.real[r, c]
          gradient.gamma[c] += d[c] * normal[c]
          gradient.beta[c] += d[c]
        }
      }
    }
  }

  package func columnStatistics(_ x: Matrix<Scalar>, mean: Vector<Scalar>, variance: Vector<Scalar>) {
    operation {
      for c in 0..<x.columns { (mean[c], variance[c]) = meanAndVariance(column(c, of: x)) }
    }
  }

  /// An exponential moving average with momentum 1/10, of the variance in its unbiased form, σ² · rows / (rows - 1).
  package func moveRunningStatistics(
    mean: Vector<Scalar>, variance: Vector<Scalar>, towards batchMean: Vector<Scalar>,
    _ batchVariance: Vector<Scalar>, rows: Int
  ) {
    operation {
      let unbiased = rows > 1 ? Double(rows) / Double(rows - 1) : 1
      for c in mean.indices {
        mean[c] += (batchMean[c] - mean[c]) / 10
        variance[c] += (unbiased * batchVariance[c] - variance[c]) / 10
      }
    }
  }

  /// y = γ · (x - μ) / √(σ² + ε) + β, with the given statistics of each column (Ioffe and Szegedy, 2015, algorithm 1).
  package func batchNorm(
    _ x: Matrix<Scalar>, _ norm: NormParameters<Scalar>, mean: Vector<Scalar>, variance: Vector<Scalar>,
    into y: Matrix<Scalar>
  ) {
    operation {
      for c in 0..<x.columns {
        let inverse = 1 / (variance[c] + NormParameters<Scalar>.epsilon).squareRoot()
        for r in 0..<x.rows { y[r, c] = norm.gamma[c] * (x[r, c] - mean[c]) * inverse + norm.beta[c] }
      }
    }
  }

  /// With n = (x - μ) / √(σ² + ε): dγ = Σ dy · n and dβ = Σ dy over the column. Where the statistics are those of x,
  /// dx = γ (dy - mean(dy) - n · mean(dy · n)) / √(σ² + ε); where they are constants, dx = γ dy / √(σ² + ε).
  package func batchNormBackward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, _ norm: NormParameters<Scalar>, gradient: NormParameters<Scalar>,
    mean: Vector<Scalar>, variance: Vector<Scalar>, usesBatch: Bool, into dx: Matrix<Scalar>
  ) {
    operation {
      let rows = Double(x.rows)
      for c in 0..<x.columns {
        let inverse = 1 / (variance[c] + NormParameters<Scalar>.epsilon).squareRoot()
        let normal = column(c, of: x).map { ($0 - mean[c]) * inverse }, d = column(c, of: dy)
        let dGamma = dot(d, normal), dBeta = d.reduce(0, +)
        gradient.gamma[c] += dGamma
        gradient.beta[c] += dBeta
        for r in 0..<x.rows {
          let throughStatistics = usesBatch ? dBeta / rows + normal[r] * dGamma / rows : 0
          dx[r, c] = norm.gamma[c] * inverse * (d[r] - throughStatistics)
        }
      }
    }
  }

  private func column(_ c: Int, of x: Matrix<Scalar>) -> [Double] { (0..<x.rows).map { x[$0, c] } }

  private func meanAndVariance(_ x: [Double]) -> (mean: Double, variance: Double) {
    let count = Double(x.count), mean = x.reduce(0, +) / count
    return (mean, x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count)
  }
}
