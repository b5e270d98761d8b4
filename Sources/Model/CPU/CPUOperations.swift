import CModelKernels
import Foundation
import Support

/// The operations on the CPU: a library or our own GEMM for matmuls and our kernels for the rest, shared out
/// over one worker pool.
///
/// The shape of the data alone decides how work is divided, and every sum has a fixed order, so that results
/// are the same for any number of threads.
package struct CPUOperations<Scalar: Real>: Operations {
  package let pool: WorkerPool
  let scratch = WorkerScratch()
  let kernels: pkm_kernel_table
  let gemms: GEMMFunctions<Scalar>

  /// Throws if the library that `settings` names is not installed.
  package init(pool: WorkerPool, settings: EngineSettings = EngineSettings()) throws(Failure) {
    self.pool = pool
    gemms = try GEMMFunctions(settings)
    kernels = Scalar.kernels(settings.instructions?.cSet ?? pkm_best_instruction_set())
  }

  /// The GEMM in use, for logs.
  package var description: String { gemms.description }

  package var operandsAreBF16: Bool { gemms.isBF16 }

  /// Training reads the weights twice a step, in matmuls of many rows, which may round them while they pack them.
  /// Generation reads them for each token.
  package func wantsWeightCopies(isTraining: Bool) -> Bool {
    operandsAreBF16 && !(isTraining && gemms.roundsRightOperands)
  }

  /// The tied table, packed. In bf16 all of it, and the logits of some rows, which do not fit in their gradient; otherwise
  /// at most 16 MiB of it.
  package func workingBytes(dim: Int, vocabularySize: Int) -> Int {
    operandsAreBF16
      ? vocabularySize * (2 * dim + 4 * Self.rowsOfLogits) : 4 * min(vocabularySize * dim, 1 << 22)
  }

  // MARK: Sharing out

  /// The elements of one task of a simple loop: 128 KiB of floats, some tens of microseconds.
  private var grain: Int { 1 << 15 }

  func forChunks(of count: Int, _ body: (Range<Int>) -> Void) {
    let chunks = (count + grain - 1) / grain
    pool.forEach(chunks) { chunk, _ in body(chunk * grain..<min((chunk + 1) * grain, count)) }
  }

  func forRows(_ rows: Int, width: Int, _ body: (Range<Int>) -> Void) {
    let block = max(1, grain / max(width, 1))
    pool.forEach((rows + block - 1) / block) { index, _ in
      body(index * block..<min((index + 1) * block, rows))
    }
  }

  /// Calls `body` with strips of columns, for sums over rows: one thread sums a strip, row by row.
  func forColumns(_ columns: Int, _ body: (Range<Int>) -> Void) {
    pool.forEach((columns + 63) / 64) { index, _ in body(index * 64..<min(index * 64 + 64, columns)) }
  }

  // MARK: Elements

  package func fill(_ x: Vector<Scalar>, _ value: Double) {
    let kernels = kernels
    forChunks(of: x.count) { kernels.fill($0.count, value, x.pointer + $0.lowerBound) }
  }

  package func copy(_ x: Vector<Scalar>, to y: Vector<Scalar>) {
    precondition(x.count == y.count)
    forChunks(of: x.count) {
      (y.pointer + $0.lowerBound).update(from: x.pointer + $0.lowerBound, count: $0.count)
    }
  }

  package func add(_ x: Vector<Scalar>, to y: Vector<Scalar>) {
    precondition(x.count == y.count)
    let kernels = kernels
    forChunks(of: x.count) { kernels.add($0.count, x.pointer + $0.lowerBound, y.pointer + $0.lowerBound) }
  }

  package func scale(_ x: Vector<Scalar>, by factor: Double) {
    let kernels = kernels
    forChunks(of: x.count) { kernels.scale($0.count, factor, x.pointer + $0.lowerBound) }
  }

  package func addSquaredNorm(of x: Vector<Scalar>, to sum: DeviceArray<Double>) {
    let kernels = kernels
    let chunks = (x.count + grain - 1) / grain
    scratch.withBuffer(of: Double.self, count: chunks) { sums in
      forChunks(of: x.count) {
        sums[$0.lowerBound / grain] = kernels.squared_norm($0.count, x.pointer + $0.lowerBound)
      }
      sum[0] += (0..<chunks).reduce(0) { $0 + sums[$1] }
    }
  }

  package func dropout(_ x: Matrix<Scalar>, _ mask: DropoutMask) {
    guard mask.probability > 0 else { return }
    let kernels = kernels
    let elements = x.elements
    forChunks(of: x.count) {
      kernels.dropout($0.count, UInt64($0.lowerBound), mask.kernelMask, elements.pointer + $0.lowerBound)
    }
  }

  package func round(_ x: Matrix<Scalar>, into operand: Operand<Scalar>) {
    precondition(x.rows == operand.rows && x.columns == operand.columns)
    // An operand of reals is the matrix itself.
    guard operand.isBF16 else { return precondition(operand.pointer == UnsafeMutableRawPointer(x.pointer)) }
    let kernels = kernels
    forRows(x.rows, width: x.columns) {
      kernels.round_to_bf16(
        $0.count, x.columns, x.rows($0).pointer, x.stride, operand.rows($0).pointer, operand.stride)
    }
  }

  package func add(_ stream: Matrix<Scalar>, _ branch: Matrix<Scalar>, into out: Matrix<Scalar>) {
    precondition(stream.isDense && branch.isDense && out.isDense && stream.count == out.count)
    let kernels = kernels
    forRows(out.rows, width: out.columns) {
      kernels.residual(
        $0.count, out.columns, stream.rows($0).pointer, branch.rows($0).pointer, out.columns, nil, 0,
        DropoutMask.none.kernelMask, out.rows($0).pointer, out.columns)
    }
  }

  package func addColumnSums(of x: Operand<Scalar>, factor: Double, to out: Vector<Scalar>) {
    precondition(x.columns == out.count)
    let kernels = kernels
    forColumns(x.columns) {
      kernels.column_sum(
        x.rows, $0.count, factor, x.columns($0).pointer, x.stride, out.pointer + $0.lowerBound, x.isBF16)
    }
  }
}

extension DropoutMask {
  var kernelMask: pkm_dropout_mask {
    pkm_dropout_mask(
      key: key, threshold: UInt32(min(probability * 0x1p32, 0x1p32 - 1)), scale: 1 / (1 - probability))
  }
}
