import CBLAS
import CModelKernels
import COneDNN
import Support

/// How the processor computes: the library for matmuls, the precision of their operands, and the instructions
/// of our own kernels.
///
/// The same settings give the same bits; other settings round differently.
package struct EngineSettings: Sendable, Equatable {
  package enum Library: String, NamedChoice {
    case openblas
    case onednn
    /// Our own kernels alone, which run on every machine.
    case generic
  }

  package enum Precision: String, NamedChoice {
    case fp32
    /// The operands of large matmuls are rounded to bfloat16 and summed in float32. Everything else is
    /// float32: parameters, statistics, softmax, and the scores of product-key memories, where ties would
    /// matter. That is what PyTorch calls the float32 matmul precision "medium"; what is saved for the backward
    /// pass as such an operand is bfloat16, too.
    case bf16
  }

  package enum Instructions: String, NamedChoice {
    case plain, avx2, avx512
    /// AVX-512 with dot products of bfloat16.
    case avx512bf16
    /// The same with AMX, Intel's matrix unit, for bfloat16.
    case amx
    /// The kernels for AMX with emulated tiles, on any processor and with AVX-512, for tests.
    case emulatedTiles = "emulated-tiles"
    case emulatedTilesAVX512 = "emulated-tiles-avx512"

    var cSet: pkm_instruction_set {
      switch self {
      case .plain: PKM_INSTRUCTION_SET_PLAIN
      case .avx2: PKM_INSTRUCTION_SET_V3
      case .avx512: PKM_INSTRUCTION_SET_V4
      case .avx512bf16: PKM_INSTRUCTION_SET_V4_BF16
      case .amx: PKM_INSTRUCTION_SET_AMX
      case .emulatedTiles: PKM_INSTRUCTION_SET_TILES_PLAIN
      case .emulatedTilesAVX512: PKM_INSTRUCTION_SET_TILES_V4_BF16
      }
    }
  }

  package var precision: Precision
  /// The library for matmuls, or nil for the fastest combination: our own GEMM for many rows if the processor
  /// has AVX-512, and for the rest oneDNN or else OpenBLAS, if one of them is installed. On a processor with
  /// AMX, oneDNN multiplies all matrices of bfloat16 unless `instructions` are named.
  package var library: Library?
  /// The best instructions that our own kernels use, or nil for the best of the processor. A processor without
  /// them uses its own best.
  package var instructions: Instructions?

  package init(
    precision: Precision = .fp32, library: Library? = nil, instructions: Instructions? = nil
  ) {
    self.precision = precision
    self.library = library
    self.instructions = instructions
  }

  /// The library to use. Throws if `library` names one that is not installed.
  func chosenLibrary() throws(Failure) -> Library {
    switch library {
    case .generic: return .generic
    case .openblas:
      if let problem = pkm_blas_load() { throw Failure(.failed, String(cString: problem)) }
      return .openblas
    case .onednn:
      if let problem = pkm_onednn_load() { throw Failure(.failed, String(cString: problem)) }
      return .onednn
    case nil:
      // The matmuls of a training step run 5 % faster with oneDNN than with OpenBLAS.
      if pkm_onednn_load() == nil { return .onednn }
      return pkm_blas_load() == nil ? .openblas : .generic
    }
  }
}
