import CModelKernels
import Foundation

extension CPUOperations {
  /// Losses of rows of logits + bias, and their gradient p - q. Overwrites the logits.
  func crossEntropy(
    _ logits: Matrix<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>, smoothing: Double,
    gradient: Operand<Scalar>
  ) -> Loss {
    precondition(targets.count == logits.rows && bias.count == logits.columns)
    precondition(gradient.rows == logits.rows && gradient.columns == logits.columns)
    let kernels = kernels
    return scratch.withBuffer(of: Loss.self, count: logits.rows) { losses in
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
    return scratch.withBuffer(of: pkm_logit_sums.self, count: x.rows * across) { parts in
      forTiles(of: x, table, transposed: true, in: nil, tile: tile) { logits, rows, columns in
        kernels.logit_sums(
          rows.count, columns.count, columns.lowerBound, bias[columns].pointer,
          targets.pointer + rows.lowerBound, logits.pointer, logits.stride,
          parts + rows.lowerBound * across + columns.lowerBound / tile.columns, across)
      }
      return scratch.withBuffer(of: Loss.self, count: x.rows) { losses in
        forRows(x.rows, width: across * 64) { rows in
          for row in rows {
            losses[row] =
              targets[row] < 0
              ? Loss()
              : Self.loss(of: parts + row * across, across, classes: table.rows, smoothing: smoothing)
          }
        }
        return Self.sum(losses, x.rows)
      }
    }
  }

  /// The rows of logits that exist at a time if the gradient is bfloat16: whole output tiles.
  static var rowsOfLogits: Int { 270 }

  /// Losses and their gradient. A softmax needs all logits of a row, so they are stored.
  ///
  /// If the gradient is reals, the logits are stored where it will be. A gradient in bfloat16 is too small
  /// for that: the logits of ``rowsOfLogits`` rows at a time go to scratch memory, and the table is packed
  /// once for all of them.
  private func crossEntropy(
    of x: Operand<Scalar>, table: Operand<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>,
    smoothing: Double, storing gradient: Operand<Scalar>
  ) -> Loss {
    let columns = table.rows
    func losses(_ compute: (_ rows: Range<Int>) -> Matrix<Scalar>) -> Loss {
      var loss = Loss()
      for first in stride(from: 0, to: x.rows, by: Self.rowsOfLogits) {
        let rows = first..<min(first + Self.rowsOfLogits, x.rows)
        loss += crossEntropy(
          compute(rows), bias: bias, targets: targets[rows],
          smoothing: smoothing, gradient: gradient.rows(rows))
      }
      return loss
    }
    if let logits = gradient.reals {
      let kernels = kernels
      forTiles(of: x, table, transposed: true, in: nil) { tile, rows, columns in
        kernels.copy_rows_nontemporal(
          tile.rows, tile.columns, tile.pointer, tile.stride, logits.rows(rows).columns(columns).pointer,
          logits.stride)
      }
      return losses { logits.rows($0) }
    }
    return scratch.withBuffer(of: Scalar.self, count: Self.rowsOfLogits * columns) { buffer in
      guard packs(x) else {
        return losses { rows in
          let logits = Matrix(buffer, rows: rows.count, columns: columns)
          matmul(x.rows(rows), table, transposed: true, into: logits)
          return logits
        }
      }
      return withPanels(table, transposed: true, isBF16: x.isBF16) { panels in
        losses { rows in
          let logits = Matrix(buffer, rows: rows.count, columns: columns)
          forTiles(of: x.rows(rows), panels: panels, columns: 0..<columns) { tile, rows, columns in
            write(tile, into: logits.rows(rows).columns(columns))
          }
          return logits
        }
      }
    }
  }

  /// The loss of one row from the sums of `count` spans of its logits.
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
