import CBLAS
import CModelKernels
import COneDNN
import Support

/// The GEMM functions for one ``EngineSettings``, looked up once.
struct GEMMFunctions<Scalar: Real> {
  /// For operands of reals, and of bfloat16.
  let exact, bf16: GEMM
  /// Whether ``bf16`` is faster than widening its operands and ``exact``.
  let isBF16Native: Bool
  /// Whether operands are bfloat16.
  let isBF16: Bool
  /// Whether GEMM of many rows is our own, which packs the right operand, and whether it is for bfloat16.
  let packs, packsBF16: Bool
  /// Whether our own GEMM multiplies bfloat16 by tiles of a matrix unit.
  let hasTiles: Bool
  /// Whether GEMM of many rows rounds a right operand of reals to bfloat16 while it packs it.
  var roundsRightOperands: Bool { isBF16 && packsBF16 }
  /// A name for logs, such as "oneDNN 2.6.3, bfloat16".
  let description: String

  init(_ settings: EngineSettings, processor: Processor = .current) throws(Failure) {
    let library = try settings.chosenLibrary()
    let instructions = processor.instructions(settings.instructions)
    let kernels = Scalar.kernels(instructions)
    packs = kernels.gemm_panels != nil && (settings.library == nil || library == .generic)
    let isFloat = Scalar.self == Float.self
    isBF16 = settings.precision == .bf16
    let libraryHasBF16 = library == .onednn && isFloat && pkm_onednn_has_bf16()
    // oneDNN's matmuls on AMX are several times as fast as our dot products of AVX512_BF16, and were measured there, as
    // our own tiles were not.
    let libraryUsesAMX =
      libraryHasBF16 && processor.hasAMX && (settings.library == .onednn || settings.instructions == nil)
    packsBF16 =
      packs && instructions.rawValue >= PKM_INSTRUCTION_SET_V4_BF16.rawValue && !libraryUsesAMX
    hasTiles = packsBF16 && instructions.rawValue >= PKM_INSTRUCTION_SET_AMX.rawValue
    var name: String
    switch library {
    case .generic: (exact, name) = (kernels.gemm, "our own GEMM")
    case .onednn where isFloat:
      (exact, name) = (pkm_onednn_sgemm, "oneDNN \(String(cString: pkm_onednn_description()))")
    case .onednn, .openblas:
      if let problem = pkm_blas_load() { throw Failure(.failed, String(cString: problem)) }
      exact = isFloat ? pkm_blas_sgemm : pkm_blas_dgemm
      name = "\(String(cString: pkm_blas_description())), kernel \(String(cString: pkm_blas_kernel()))"
    }
    isBF16Native = library == .generic || libraryHasBF16
    if packs && library != .generic && !(isBF16 && libraryUsesAMX) {
      name = "our own for \(isBF16 && hasTiles ? "AMX" : "AVX-512"), small ones by \(name)"
    }
    bf16 = isBF16Native && library == .onednn ? pkm_onednn_bgemm : kernels.gemm_bf16
    name += isBF16 ? ", bfloat16" : isFloat ? ", float32" : ", float64"
    if isBF16 && (libraryUsesAMX || hasTiles) {
      name += instructions.rawValue > PKM_INSTRUCTION_SET_AMX.rawValue ? " on emulated tiles" : " on AMX"
    } else if isBF16 && packsBF16 && processor.hasSlowBF16Dots {
      name += ", which is slower than fp32 on this processor"
      if processor.hasAMX { name += "; its AMX is faster: --kernels auto" }
    } else if isBF16 && !isBF16Native && !packsBF16 {
      name += " multiplied as float32, as no instruction or library multiplies it: fp32 would be faster"
    }
    if isBF16 && processor.amx == PKM_AMX_REFUSED {
      name += "; the operating system does not let this process use the processor's AMX"
    }
    description = name
  }

  /// The GEMM for operands of this precision.
  func gemm(isBF16: Bool) -> GEMM { isBF16 ? bf16 : exact }
}

/// GEMM on the calling thread: C = alpha op(A) op(B) + beta C, row-major, with op(A) m × k and op(B) k × n.
typealias GEMM =
  @convention(c) (
    _ transposesA: Bool, _ transposesB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Double,
    _ a: UnsafeRawPointer?, _ lda: Int, _ b: UnsafeRawPointer?, _ ldb: Int, _ beta: Double,
    _ c: UnsafeMutableRawPointer?, _ ldc: Int
  ) -> Void
