import ArgumentParser
import Model
import Training

/// The option of every command that runs a model.
struct EngineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Matrix multiplication: onednn, openblas, generic (built-in kernels only), or auto (built-in AVX-512 kernels for \
      large matrices, oneDNN or else OpenBLAS for the others; on a processor with AMX, oneDNN for bf16; train measures).
      """,
      valueName: "name"))
  var blas: Library = .auto

  enum Library: String, CaseIterable, ExpressibleByArgument {
    case auto, onednn, openblas, generic
  }

  @Option(
    help: ArgumentHelp(
      """
      Instructions of the built-in kernels: plain, avx2, avx512, avx512bf16, amx (each with those before it), or auto \
      (the best of the processor).
      """,
      valueName: "name"))
  var kernels: Kernels = .auto

  enum Kernels: String, CaseIterable, ExpressibleByArgument {
    case auto, plain, avx2, avx512, avx512bf16, amx
  }

  func validate() throws {
    guard let instructions, !instructions.isAvailable else { return }
    throw ValidationError(
      "--kernels \(kernels.rawValue): this processor or its operating system does not offer them; the best that it offers "
        + "are \(EngineSettings.Instructions.best.rawValue)")
  }

  /// nil for auto.
  var instructions: EngineSettings.Instructions? { EngineSettings.Instructions(rawValue: kernels.rawValue) }

  /// nil for auto.
  var library: EngineSettings.Library? { EngineSettings.Library(rawValue: blas.rawValue) }
  var wish: EngineChoice.Wish { EngineChoice.Wish(kernels: instructions, blas: library) }
}
