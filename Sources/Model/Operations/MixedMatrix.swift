/// A matrix and its form as an operand; the same memory if operands are the numbers themselves.
package struct MixedMatrix<Scalar: Real> {
  package let real: Matrix<Scalar>
  package let operand: Operand<Scalar>

  package init(real: Matrix<Scalar>, operand: Operand<Scalar>) {
    (self.real, self.operand) = (real, operand)
  }

  package func rows(_ range: Range<Int>) -> MixedMatrix {
    MixedMatrix(real: real.rows(range), operand: operand.rows(range))
  }
}
