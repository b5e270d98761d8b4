/// What becomes of a product, piece by piece while it is in a core's cache.
package enum Epilogue<Scalar: Real> {
  /// The product as an operand.
  case round(into: Operand<Scalar>)
  /// The same with a bias added to every row.
  case bias(Vector<Scalar>, into: Operand<Scalar>)
  /// kept = product + bias, `into` = GELU of what is kept, exact form with erf (Hendrycks and Gimpel 2016).
  case biasGELU(Vector<Scalar>, keeping: Operand<Scalar>?, into: Operand<Scalar>)
  /// `again` = GELU(h) as the case before gave it, and h = product · GELU'(h), in its place.
  case geluBackward(Operand<Scalar>, again: Operand<Scalar>)
  /// `into` = stream + dropout(product + bias); all dense, and `into` is not the stream.
  case residual(Matrix<Scalar>, bias: Vector<Scalar>, mask: DropoutMask, into: Matrix<Scalar>)
}
