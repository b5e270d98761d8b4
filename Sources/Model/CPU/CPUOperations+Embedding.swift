import CModelKernels
import Support

extension CPUOperations {
  package func embed(
    _ tokens: DeviceArray<Int32>, table: Matrix<Scalar>, positions: Matrix<Scalar>, length: Int,
    firstPosition: Int, into out: Matrix<Scalar>
  ) {
    precondition(firstPosition + length <= positions.rows && tokens.count == out.rows)
    let kernels = kernels
    forRows(out.rows, width: out.columns) {
      kernels.embed(
        $0.count, out.columns, $0.lowerBound, length, tokens.pointer + $0.lowerBound, table.pointer,
        positions.pointer + firstPosition * positions.stride, out.rows($0).pointer)
    }
  }

  package func embedBackward(
    _ tokens: DeviceArray<Int32>, _ d: Matrix<Scalar>, length: Int, table: Matrix<Scalar>,
    positions: Matrix<Scalar>
  ) {
    precondition(d.isDense && table.isDense && tokens.count == d.rows)
    let kernels = kernels
    forColumns(d.columns) {
      kernels.embed_backward(
        d.rows, $0.count, tokens.pointer, d.columns($0).pointer, d.stride, table.columns($0).pointer)
    }
    pool.forEach(length) { position, _ in
      for row in stride(from: position, to: d.rows, by: length) {
        kernels.add(d.columns, d.pointer + row * d.stride, positions.pointer + position * positions.stride)
      }
    }
  }
}
