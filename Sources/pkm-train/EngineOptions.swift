import ArgumentParser
import Model

/// The flag of every command that computes.
struct EngineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Library that multiplies matrices: onednn, openblas, generic (ours alone), or auto: ours for many rows where there is AVX-512, the first of the two that is installed for the rest.",
      valueName: "name"))
  var blas: Library = .auto

  enum Library: String, CaseIterable, ExpressibleByArgument {
    case auto, onednn, openblas, generic
  }

  /// nil for auto.
  var library: EngineSettings.Library? { EngineSettings.Library(rawValue: blas.rawValue) }
}
