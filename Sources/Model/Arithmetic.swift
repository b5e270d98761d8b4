import CBLAS
import CKernels
import COneDNN
import Support

/// With what the processor computes: the library that multiplies matrices, the precision of what it multiplies, and
/// the instructions of our own kernels.
///
/// Results are the same to the bit for the same choice; another one rounds otherwise.
package struct Arithmetic: Sendable, Equatable {
  package enum Library: String, CaseIterable, Sendable {
    case openblas
    case onednn
    /// Our own products alone, which every machine has.
    case generic
  }

  package enum Precision: String, NamedChoice {
    case fp32
    /// The operands of the large products are rounded to bfloat16 and their sums are float32. Everything else is
    /// float32: parameters, statistics, softmax, and the scores of the memories, where ties would matter.
    case bf16
  }

  package enum Instructions: String, CaseIterable, Sendable {
    case plain, avx2, avx512
    /// And dot products of bfloat16.
    case avx512bf16

    var cSet: instruction_set {
      switch self {
      case .plain: INSTRUCTION_SET_PLAIN
      case .avx2: INSTRUCTION_SET_V3
      case .avx512: INSTRUCTION_SET_V4
      case .avx512bf16: INSTRUCTION_SET_V4_BFLOAT16
      }
    }
  }

  package var precision: Precision
  /// nil: what is fastest.
  ///
  /// That is our own product for many rows where the processor has AVX-512, and for the others
  /// oneDNN, else OpenBLAS, where they are installed.
  package var library: Library?
  /// The best to use, if the processor has them.
  package var instructions: Instructions

  package init(
    precision: Precision = .fp32, library: Library? = nil, instructions: Instructions = .avx512bf16
  ) {
    self.precision = precision
    self.library = library
    self.instructions = instructions
  }

  /// The library that will be used.
  ///
  /// Throws if the one asked for is missing.
  func chosenLibrary() throws(Failure) -> Library {
    switch library {
    case .generic: return .generic
    case .openblas:
      if let problem = blas_load() { throw Failure(.failed, String(cString: problem)) }
      return .openblas
    case .onednn:
      if let problem = onednn_load() { throw Failure(.failed, String(cString: problem)) }
      return .onednn
    case nil:
      // The products of a training step run 5 % faster with oneDNN.
      if onednn_load() == nil { return .onednn }
      return blas_load() == nil ? .openblas : .generic
    }
  }
}

/// One product on the calling thread: C = alpha op(A) op(B) + beta C, row-major, op(A) m × k, op(B) k × n.
typealias Gemm =
  @convention(c) (
    _ transposesA: Bool, _ transposesB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Double,
    _ a: UnsafeRawPointer?, _ lda: Int, _ b: UnsafeRawPointer?, _ ldb: Int, _ beta: Double,
    _ c: UnsafeMutableRawPointer?, _ ldc: Int
  ) -> Void

/// The products of one ``Arithmetic``, looked up once.
struct Products<Scalar: Real> {
  /// Of reals, and of bfloat16.
  let exact, half: Gemm
  /// Whether large products of bfloat16 are worth more than those of the numbers widened to reals.
  let isHalfNative: Bool
  /// Whether operands are bfloat16.
  let isHalf: Bool
  /// Whether products of many rows are our own, and those of bfloat16.
  let packs, packsHalf: Bool
  /// Whether products of many rows round a right operand of reals to bfloat16 while they pack it.
  var roundsRightOperands: Bool { isHalf && packsHalf }
  /// For the reader of a log: "oneDNN 2.6.3, bfloat16".
  let description: String

  init(_ arithmetic: Arithmetic) throws(Failure) {
    let library = try arithmetic.chosenLibrary()
    let kernels = Scalar.kernels(arithmetic.instructions.cSet)
    packs = kernels.multiply_panels != nil && (arithmetic.library == nil || library == .generic)
    packsHalf =
      packs
      && min(arithmetic.instructions.cSet.rawValue, instruction_set_best().rawValue)
        == INSTRUCTION_SET_V4_BFLOAT16.rawValue
    let isFloat = Scalar.self == Float.self
    isHalf = arithmetic.precision == .bf16
    var name: String
    switch library {
    case .generic: (exact, name) = (kernels.product, "our own product")
    case .onednn where isFloat:
      (exact, name) = (onednn_sgemm, "oneDNN \(String(cString: onednn_description()))")
    case .onednn, .openblas:
      if let problem = blas_load() { throw Failure(.failed, String(cString: problem)) }
      exact = isFloat ? blas_sgemm : blas_dgemm
      name = "\(String(cString: blas_description())), kernel \(String(cString: blas_kernel()))"
    }
    isHalfNative = library == .generic || library == .onednn && isFloat && onednn_has_bfloat16()
    if packs && library != .generic {
      name = "our own for AVX-512, small ones by \(name)"
    }
    half = isHalfNative && library == .onednn ? onednn_bgemm : kernels.product_half
    name += isHalf ? ", bfloat16" : isFloat ? ", float32" : ", float64"
    if isHalf && !isHalfNative {
      name += " multiplied as float32, for want of an instruction or a library for it: fp32 would be faster"
    }
    description = name
  }

  /// The product for operands of this form.
  func gemm(isHalf: Bool) -> Gemm { isHalf ? half : exact }
}
