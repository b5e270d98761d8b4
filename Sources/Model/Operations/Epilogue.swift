/// What a matmul does with each tile of its product while the tile is in a core's cache.
package enum Epilogue<Scalar: Real> {
  /// Stores the product as an operand.
  case round(into: Operand<Scalar>)
  /// The same after adding a bias to every row.
  case bias(Vector<Scalar>, into: Operand<Scalar>)
  /// keeping = product + bias, into = GELU(keeping), the exact form with erf (Hendrycks and Gimpel, 2016).
  case biasGELU(Vector<Scalar>, keeping: Operand<Scalar>?, into: Operand<Scalar>)
  /// Recomputes again = GELU(h) as the case before computed it, and then h = product · GELU'(h) in place.
  case geluBackward(Operand<Scalar>, again: Operand<Scalar>)
  /// into = stream + dropout(product + bias); all dense, and `into` must not be the stream.
  case residual(Matrix<Scalar>, bias: Vector<Scalar>, mask: DropoutMask, into: Matrix<Scalar>)
}
