/// What a matmul does with each tile of its product while the tile is in a core's cache.
package enum Epilogue<Scalar: Real> {
  /// Stores the product as an operand.
  case round(into: Operand<Scalar>)
  /// The same after adding a bias to every row.
  case bias(Vector<Scalar>, into: Operand<Scalar>)
  /// save = product + bias, into = GELU(save), the exact form with erf (Hendrycks and Gimpel, 2016). The backward pass
  /// needs what is saved; nil in inference.
  case biasGELU(Vector<Scalar>, save: Operand<Scalar>?, into: Operand<Scalar>)
  /// recompute = GELU(h), the same bits as `into` of the case before, and then h = product · GELU'(h) in place.
  case geluBackward(Operand<Scalar>, recompute: Operand<Scalar>)
  /// into = stream + dropout(product + bias); all dense, and `into` must not be the stream.
  case residual(Matrix<Scalar>, bias: Vector<Scalar>, mask: DropoutMask, into: Matrix<Scalar>)
}
