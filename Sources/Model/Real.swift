import CBLAS
import CKernels

/// The precisions the kernels exist in: Float for training, Double for checking gradients with the same code.
package protocol Real: BinaryFloatingPoint, Sendable {
  static var kernels: UnsafePointer<kernel_table> { get }

  /// C = alpha op(A) op(B) + beta C, row-major, on the calling thread.
  static func gemm(
    _ transposesA: Bool, _ transposesB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Double,
    _ a: UnsafePointer<Self>, _ lda: Int, _ b: UnsafePointer<Self>, _ ldb: Int, _ beta: Double,
    _ c: UnsafeMutablePointer<Self>, _ ldc: Int)
}

extension Float: Real {
  package static var kernels: UnsafePointer<kernel_table> { kernels_float() }

  package static func gemm(
    _ transposesA: Bool, _ transposesB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Double,
    _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int, _ beta: Double,
    _ c: UnsafeMutablePointer<Float>, _ ldc: Int
  ) {
    blas_sgemm(
      transposesA, transposesB, Int32(m), Int32(n), Int32(k), Float(alpha), a, Int32(lda), b, Int32(ldb),
      Float(beta),
      c, Int32(ldc))
  }
}

extension Double: Real {
  package static var kernels: UnsafePointer<kernel_table> { kernels_double() }

  package static func gemm(
    _ transposesA: Bool, _ transposesB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Double,
    _ a: UnsafePointer<Double>, _ lda: Int, _ b: UnsafePointer<Double>, _ ldb: Int, _ beta: Double,
    _ c: UnsafeMutablePointer<Double>, _ ldc: Int
  ) {
    blas_dgemm(
      transposesA, transposesB, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, c,
      Int32(ldc))
  }
}
