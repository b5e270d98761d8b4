import ArgumentParser
import Model

/// The option of every command that runs a model.
struct EngineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Matrix multiplication: onednn, openblas, generic (built-in kernels only), or auto (built-in AVX-512 kernels for \
      large matrices, oneDNN or else OpenBLAS for the others; on a processor with AMX, oneDNN for bf16).
      """,
      valueName: "name"))
  var blas: Library = .auto

  enum Library: String, CaseIterable, ExpressibleByArgument {
    case auto, onednn, openblas, generic
  }

  /// nil for auto.
  var library: EngineSettings.Library? { EngineSettings.Library(rawValue: blas.rawValue) }
}
