import CBLAS
import CModelKernels
import COneDNN
import Support

/// With what the processor computes: the library that multiplies matrices, the precision of what it multiplies, and
/// the instructions of our own kernels.
///
/// Results are the same to the bit for the same choice; another one rounds otherwise.
package struct EngineSettings: Sendable, Equatable {
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

    var cSet: pkm_instruction_set {
      switch self {
      case .plain: PKM_INSTRUCTION_SET_PLAIN
      case .avx2: PKM_INSTRUCTION_SET_V3
      case .avx512: PKM_INSTRUCTION_SET_V4
      case .avx512bf16: PKM_INSTRUCTION_SET_V4_BF16
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
      if let problem = pkm_blas_load() { throw Failure(.failed, String(cString: problem)) }
      return .openblas
    case .onednn:
      if let problem = pkm_onednn_load() { throw Failure(.failed, String(cString: problem)) }
      return .onednn
    case nil:
      // The products of a training step run 5 % faster with oneDNN.
      if pkm_onednn_load() == nil { return .onednn }
      return pkm_blas_load() == nil ? .openblas : .generic
    }
  }
}
