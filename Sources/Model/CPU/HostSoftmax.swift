import CModelKernels

/// Softmax over logits in host memory, on the calling thread: for drawing tokens.
package enum HostSoftmax {
  /// So many numbers are added up in float, and the sums of such blocks in double.
  package static let block = 256

  /// The largest number; ignores NaN unless there is nothing else.
  package static func largest(of x: UnsafeBufferPointer<Float>) -> Float {
    guard let base = UnsafeRawPointer(x.baseAddress) else { return -.infinity }
    var lanes = SIMD16<Float>(repeating: -.infinity)
    let whole = x.count / 16 * 16
    for first in stride(from: 0, to: whole, by: 16) {
      let next = base.loadUnaligned(fromByteOffset: 4 * first, as: SIMD16<Float>.self)
      lanes.replace(with: next, where: next .> lanes)
    }
    return x[whole...].reduce(lanes.max()) { $1 > $0 ? $1 : $0 }
  }

  /// weights = exp(factor · (x - top)), and the sum of each block of them.
  package static func weights(
    of x: UnsafeBufferPointer<Float>, top: Float, factor: Double,
    into weights: UnsafeMutableBufferPointer<Float>, sums: UnsafeMutableBufferPointer<Double>
  ) {
    let kernels = Float.kernels(PKM_INSTRUCTION_SET_V4_BF16)
    for (index, first) in stride(from: 0, to: x.count, by: block).enumerated() {
      sums[index] = kernels.exponentials(
        min(block, x.count - first), Double(top), factor, x.baseAddress! + first,
        weights.baseAddress! + first)
    }
  }
}
