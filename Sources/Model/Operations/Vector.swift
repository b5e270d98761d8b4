/// A view of consecutive numbers.
package struct Vector<Scalar: Real> {
  package let pointer: UnsafeMutablePointer<Scalar>
  package let count: Int

  package init(_ pointer: UnsafeMutablePointer<Scalar>, count: Int) {
    self.pointer = pointer
    self.count = count
  }

  package init(_ buffer: UnsafeMutableBufferPointer<Scalar>) {
    self.init(buffer.baseAddress!, count: buffer.count)
  }

  package subscript(_ range: Range<Int>) -> Vector {
    Vector(pointer + range.lowerBound, count: range.count)
  }

  package var buffer: UnsafeMutableBufferPointer<Scalar> { .init(start: pointer, count: count) }
}
