import CModelKernels
import Foundation

extension CPUOperations {
  /// Losses of rows of logits, to which the bias is added here, and their gradient p - q.
  ///
  /// The logits are overwritten.
  func crossEntropy(
    _ logits: Matrix<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>, smoothing: Double,
    gradient: Operand<Scalar>
  ) -> Loss {
    precondition(targets.count == logits.rows && bias.count == logits.columns)
    precondition(gradient.rows == logits.rows && gradient.columns == logits.columns)
    let kernels = kernels
    let losses = scratch.shared(Loss.self, logits.rows)
    forRows(logits.rows, width: logits.columns) { rows in
      for row in rows {
        let loss = kernels.cross_entropy(
          logits.columns, bias.pointer, targets[row], smoothing, logits.pointer + row * logits.stride,
          gradient.rows(row..<row + 1).pointer, gradient.isBF16)
        losses[row] = Loss(nll: loss.nll, smoothed: loss.smoothed, count: targets[row] < 0 ? 0 : 1)
      }
    }
    return Self.sum(losses, logits.rows)
  }

  package func crossEntropy(
    of x: Operand<Scalar>, table: Operand<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>,
    smoothing: Double, gradient: Operand<Scalar>?, addingTo sums: LossSums
  ) {
    let loss = crossEntropy(
      of: x, table: table, bias: bias, targets: targets, smoothing: smoothing, gradient: gradient)
    sums.numbers[0] += loss.nll
    sums.numbers[1] += loss.smoothed
    sums.numbers[2] += Double(loss.count)
  }

  private func crossEntropy(
    of x: Operand<Scalar>, table: Operand<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>,
    smoothing: Double, gradient: Operand<Scalar>?
  ) -> Loss {
    precondition(targets.count == x.rows && bias.count == table.rows && x.columns == table.columns)
    if let gradient {
      return crossEntropy(
        of: x, table: table, bias: bias, targets: targets, smoothing: smoothing, storing: gradient)
    }
    let kernels = kernels, tile = OutputTile(rows: 256, columns: 512)
    let across = (table.rows + tile.columns - 1) / tile.columns
    let parts = results.shared(pkm_logit_sums.self, x.rows * across)
    forTiles(of: x, table, transposed: true, in: nil, tile: tile) { logits, rows, columns in
      kernels.logit_sums(
        rows.count, columns.count, columns.lowerBound, bias[columns].pointer,
        targets.pointer + rows.lowerBound,
        logits.pointer, logits.stride, parts + rows.lowerBound * across + columns.lowerBound / tile.columns,
        across)
    }
    let losses = scratch.shared(Loss.self, x.rows)
    forRows(x.rows, width: across * 64) { rows in
      for row in rows {
        losses[row] =
          targets[row] < 0
          ? Loss() : Self.loss(of: parts + row * across, across, classes: table.rows, smoothing: smoothing)
      }
    }
    return Self.sum(losses, x.rows)
  }

  /// Rows of logits at a time where the gradient has no room for all of them: whole pieces of products.
  static var rowsOfLogits: Int { 270 }

  /// With the gradient: a softmax needs all logits of a row, so they are stored.
  ///
  /// Those of reals stand where their gradient will. Those of bfloat16 have no room there: they are of a few rows at a time,
  /// for all of which the table is packed once.
  private func crossEntropy(
    of x: Operand<Scalar>, table: Operand<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>,
    smoothing: Double, storing gradient: Operand<Scalar>
  ) -> Loss {
    let block = Self.rowsOfLogits
    let right = gradient.isBF16 && packs(x) ? panels(table, transposed: true, isBF16: x.isBF16) : nil
    let space = gradient.isBF16 ? results.shared(Scalar.self, block * table.rows) : nil
    if let logits = gradient.reals {
      let kernels = kernels
      forTiles(of: x, table, transposed: true, in: nil) { product, rows, columns in
        kernels.copy_rows_nontemporal(
          product.rows, product.columns, product.pointer, product.stride,
          logits.rows(rows).columns(columns).pointer, logits.stride)
      }
    }
    var loss = Loss()
    for first in stride(from: 0, to: x.rows, by: block) {
      let rows = first..<min(first + block, x.rows), d = gradient.rows(rows)
      let logits = d.reals ?? Matrix(space!, rows: rows.count, columns: table.rows)
      if let right {
        forTiles(of: x.rows(rows), panels: right, columns: 0..<table.rows) { product, rows, columns in
          write(product, into: logits.rows(rows).columns(columns))
        }
      } else if gradient.isBF16 {
        matmul(x.rows(rows), table, transposed: true, into: logits)
      }
      loss += crossEntropy(
        logits, bias: bias, targets: targets[rows], smoothing: smoothing,
        gradient: d)
    }
    return loss
  }

  /// The loss of one row from the sums of its parts.
  private static func loss(
    of parts: UnsafePointer<pkm_logit_sums>, _ count: Int, classes: Int, smoothing: Double
  )
    -> Loss
  {
    var top = -Double.infinity, exponentials = 0.0, total = 0.0, atTarget = 0.0
    for part in 0..<count { top = max(top, parts[part].largest) }
    for part in 0..<count {
      exponentials += parts[part].exponentials * exp(parts[part].largest - top)
      total += parts[part].total
      atTarget += parts[part].at_target
    }
    let logSum = top + log(exponentials), nll = logSum - atTarget
    return Loss(
      nll: nll, smoothed: (1 - smoothing) * nll + smoothing * (logSum - total / Double(classes)), count: 1)
  }

  private static func sum(_ losses: UnsafePointer<Loss>, _ count: Int) -> Loss {
    var sum = Loss()
    for row in 0..<count { sum += losses[row] }
    return sum
  }
}
