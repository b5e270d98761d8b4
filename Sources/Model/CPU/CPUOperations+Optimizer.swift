import CModelKernels
import Foundation

extension CPUOperations {
  package func adam(
    _ parameter: Vector<Scalar>, _ operand: Operand<Scalar>?, gradient: Vector<Scalar>, m: Vector<Scalar>,
    v: Vector<Scalar>, _ step: AdamStep
  ) {
    precondition(operand.map { $0.isDense && $0.count == parameter.count } ?? true)
    precondition(parameter.count == gradient.count && m.count == v.count && m.count == parameter.count)
    let kernels = kernels
    let bf16 = operand?.bf16Pointer
    forChunks(of: parameter.count) { range in
      kernels.adam(
        range.count, step.kernelStep, gradient[range].pointer, parameter[range].pointer, m[range].pointer,
        v[range].pointer, bf16.map { $0 + 2 * range.lowerBound })
    }
  }

  package func addSquaredNorm(of gradient: ValueGradient<Scalar>, to sum: DeviceArray<Double>) {
    let kernels = kernels, reads = gradient.gathered
    let order = sort(gradient)
    let ranges = slotRanges(of: order)
    scratch.withBuffer(of: Double.self, count: ranges) { sums in
      forSlots(order) { slots, range in
        sums[range] = kernels.value_gradient_norm(
          slots.count, gradient.readsPerToken, reads.dy.columns, order.starts + slots.lowerBound, order.reads,
          reads.weights.pointer, reads.dy.pointer)
      }
      sum[0] += (0..<ranges).reduce(0) { $0 + sums[$1] }
    }
  }

  package func lazyAdam(
    _ values: Operand<Scalar>, gradient: ValueGradient<Scalar>, m: Matrix<Scalar>, v: Matrix<Scalar>,
    _ step: AdamStep
  ) {
    let reads = gradient.gathered
    precondition(values.isDense && values.rows == gradient.slots && reads.dy.columns == values.columns)
    precondition(m.count == values.count && v.count == values.count)
    let kernels = kernels
    let order = sort(gradient)
    forSlots(order) { slots, _ in
      kernels.adam_rows(
        slots.count, gradient.readsPerToken, values.columns, step.kernelStep, order.slots + slots.lowerBound,
        order.starts + slots.lowerBound, order.reads, reads.weights.pointer, reads.dy.pointer, values.pointer,
        m.pointer, v.pointer, values.isBF16)
    }
  }
}

extension AdamStep {
  var kernelStep: pkm_adam_step {
    let t = Double(step)
    return pkm_adam_step(
      rate: learningRate * (1 - pow(beta2, t)).squareRoot() / (1 - pow(beta1, t)), beta1: beta1, beta2: beta2,
      epsilon: epsilon,
      gradient_scale: gradientScale * (clipping.map { $0.factor(squaredNorm: $0.squaredNorm[0]) } ?? 1),
      rounding_key: roundingKey)
  }
}
