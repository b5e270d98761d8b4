// How devices whose memory is the host's read it: the CPU and the reference. Nothing else in the program sees a pointer
// behind the seam.
import CModelKernels

extension DeviceAddress {
  init(_ pointer: UnsafeRawPointer) { self.init(bits: UInt(bitPattern: pointer)) }

  var pointer: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: bits).unsafelyUnwrapped }
}

extension DeviceArray {
  init(_ pointer: UnsafePointer<Element>, count: Int) { self.init(DeviceAddress(pointer), count: count) }

  var pointer: UnsafeMutablePointer<Element> { address.pointer.assumingMemoryBound(to: Element.self) }

  var buffer: UnsafeMutableBufferPointer<Element> { .init(start: pointer, count: count) }

  subscript(index: Int) -> Element {
    get { pointer[index] }
    nonmutating set { pointer[index] = newValue }
  }
}

extension Vector {
  init(_ pointer: UnsafeMutablePointer<Scalar>, count: Int) {
    self.init(DeviceAddress(pointer), count: count)
  }

  var pointer: UnsafeMutablePointer<Scalar> { address.pointer.assumingMemoryBound(to: Scalar.self) }

  var buffer: UnsafeMutableBufferPointer<Scalar> { .init(start: pointer, count: count) }
}

extension Matrix {
  init(_ pointer: UnsafeMutablePointer<Scalar>, rows: Int, columns: Int, stride: Int? = nil) {
    self.init(DeviceAddress(pointer), rows: rows, columns: columns, stride: stride)
  }

  var pointer: UnsafeMutablePointer<Scalar> { address.pointer.assumingMemoryBound(to: Scalar.self) }
}

extension Operand {
  init(_ pointer: UnsafeMutableRawPointer, rows: Int, columns: Int, stride: Int? = nil, isBF16: Bool) {
    self.init(DeviceAddress(pointer), rows: rows, columns: columns, stride: stride, isBF16: isBF16)
  }

  var pointer: UnsafeMutableRawPointer { address.pointer }

  /// A dense matrix in the same memory, `first` elements after its start.
  func part(from first: Int, rows: Int, columns: Int) -> Operand {
    Operand(
      address.advanced(by: first * elementBytes), rows: rows, columns: columns, isBF16: isBF16)
  }

  /// Its memory, for kernels that prefetch it.
  var outputTile: pkm_output_tile {
    pkm_output_tile(start: pointer, row_bytes: stride * elementBytes, element_bytes: elementBytes)
  }

  /// Where kernels write bf16 beside reals; nil where the reals are the operand.
  var bf16Pointer: UnsafeMutableRawPointer? { isBF16 ? pointer : nil }
}

extension Real {
  static func kernels(_ instructions: pkm_instruction_set) -> pkm_kernel_table {
    self == Float.self ? pkm_kernels_float(instructions).pointee : pkm_kernels_double(instructions).pointee
  }
}
