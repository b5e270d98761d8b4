import ArgumentParser
import Model

/// The flag of every command that computes.
struct EngineOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Library that multiplies matrices: onednn, openblas, generic (our own, slower), or auto: the first of these that is installed.",
      valueName: "name"))
  var blas: Library = .auto

  enum Library: String, CaseIterable, ExpressibleByArgument {
    case auto, onednn, openblas, generic
  }

  /// nil for auto.
  var library: Arithmetic.Library? { Arithmetic.Library(rawValue: blas.rawValue) }
}
