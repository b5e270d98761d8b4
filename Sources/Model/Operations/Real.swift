import CModelKernels

/// The precisions the kernels exist in: Float for training, Double for checking gradients with the same code.
package protocol Real: BinaryFloatingPoint, Sendable {
  static func kernels(_ instructions: instruction_set) -> kernel_table
}

extension Float: Real {
  package static func kernels(_ instructions: instruction_set) -> kernel_table {
    kernels_float(instructions).pointee
  }
}

extension Double: Real {
  package static func kernels(_ instructions: instruction_set) -> kernel_table {
    kernels_double(instructions).pointee
  }
}
