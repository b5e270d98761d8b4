import CKernels
import Foundation

extension CPUOperations {
  package func adam(
    _ parameter: Vector<Scalar>, _ operand: Operand<Scalar>?, gradient: Vector<Scalar>, m: Vector<Scalar>,
    v: Vector<Scalar>, _ step: AdamStep
  ) {
    precondition(operand.map { $0.isDense && $0.count == parameter.count } ?? true)
    precondition(parameter.count == gradient.count && m.count == v.count && m.count == parameter.count)
    let kernels = kernels
    let half = operand?.halfPointer
    forChunks(of: parameter.count) { range in
      kernels.adam(
        range.count, step.kernelStep, gradient[range].pointer, parameter[range].pointer, m[range].pointer,
        v[range].pointer, half.map { $0 + 2 * range.lowerBound })
    }
  }

  package func lazyAdam(
    _ values: Operand<Scalar>, gradient: TouchedRows<Scalar>, m: Matrix<Scalar>, v: Matrix<Scalar>,
    _ step: AdamStep
  ) {
    precondition(values.isDense && gradient.rows.isDense && gradient.rows.columns == values.columns)
    precondition(m.count == values.count && v.count == values.count)
    let kernels = kernels
    forRows(gradient.ids.count, width: values.columns) {
      kernels.adam_rows(
        $0.count, values.columns, step.kernelStep, gradient.ids.baseAddress! + $0.lowerBound,
        gradient.rows.rows($0).pointer, values.pointer, m.pointer, v.pointer, values.isHalf)
    }
  }
}

extension AdamStep {
  var kernelStep: adam_step {
    let t = Double(step)
    return adam_step(
      rate: learningRate * (1 - pow(beta2, t)).squareRoot() / (1 - pow(beta1, t)), beta1: beta1, beta2: beta2,
      epsilon: epsilon, gradient_scale: gradientScale, rounding_key: roundingKey)
  }
}
