import Foundation
import Model
import Support

/// How a run multiplies matrices, which decides its bits: chosen at its start and kept in `trainer.json`.
package struct EngineChoice: Codable, Equatable, Sendable {
  /// The name of the processor that it was chosen on.
  package var processor: String
  /// The instructions of our own kernels.
  package var kernels: EngineSettings.Instructions
  /// The library for matmuls; nil for our own GEMM beside whichever library is installed.
  package var blas: EngineSettings.Library?
  /// What that comes to with the libraries that were installed.
  package var matmul: String

  /// What the command line says, where it does.
  package struct Wish: Sendable {
    package var kernels: EngineSettings.Instructions?
    package var blas: EngineSettings.Library?
    package var isEmpty: Bool { kernels == nil && blas == nil }

    package init(kernels: EngineSettings.Instructions? = nil, blas: EngineSettings.Library? = nil) {
      (self.kernels, self.blas) = (kernels, blas)
    }
  }

  package init(
    processor: String = EngineSettings.processorName, kernels: EngineSettings.Instructions,
    blas: EngineSettings.Library?, matmul: String
  ) {
    (self.processor, self.kernels, self.blas, self.matmul) = (processor, kernels, blas, matmul)
  }

  package func settings(_ precision: EngineSettings.Precision) -> EngineSettings {
    EngineSettings(precision: precision, library: blas, instructions: kernels)
  }
}

extension Engine {
  /// The engine of a training run and the choice that it keeps.
  ///
  /// Flags decide; else what the run was started with; else what an earlier run on this processor found for such a model;
  /// else a measurement of about a second, which is remembered in `cache`.
  ///
  /// - Parameters:
  ///   - stored: of the checkpoint that the run goes on from.
  ///   - measures: false for a run that began before choices were kept: it goes on as it would have.
  ///   - cache: the file that remembers measurements; nil for none.
  ///   - say: takes what was measured.
  ///   - warn: takes what makes results differ from those that the run would have had.
  package static func forTraining(
    _ recipe: TrainingRecipe, _ wish: EngineChoice.Wish, stored: EngineChoice?, measures: Bool = true,
    threads: Int, cache: String? = EngineCache.path, say: (String) -> Void, warn: (String) -> Void
  ) throws -> (engine: Engine, choice: EngineChoice) {
    let precision = recipe.train.precision
    let pool = WorkerPool(threads: threads)
    func result(_ settings: EngineSettings) throws -> (Engine, EngineChoice) {
      let engine = try Engine(settings, pool: pool)
      let choice = EngineChoice(
        kernels: settings.instructions ?? .best, blas: settings.library, matmul: engine.device.description)
      if let stored, stored != choice {
        warn("\(difference(stored, choice)), so results will differ in their last bits")
      }
      return (engine, choice)
    }
    if let stored, wish.isEmpty {
      var kernels = stored.kernels
      if !kernels.isAvailable { kernels = .best }
      return try result(EngineSettings(precision: precision, library: stored.blas, instructions: kernels))
    }
    guard wish.isEmpty else {
      return try result(EngineSettings(precision: precision, library: wish.blas, instructions: wish.kernels))
    }
    let (dim, tokens) = (recipe.model.dim, recipe.train.sequencesAtOnce * recipe.model.context)
    let candidates = MatmulTrial.candidates(precision)
    // A small model gains nothing by the measurement, which takes longer than many of its steps.
    guard measures else { return try result(EngineSettings(precision: precision)) }
    guard candidates.count > 1, MatmulTrial.flops(dim: dim, tokens: tokens) > 2e9 else {
      return try result(candidates[0])
    }
    let names = candidates.map { (try? CPUOperations<Float>(pool: pool, settings: $0).description) ?? "" }
    let question = EngineCache.Question(
      processor: EngineSettings.processorName, precision: precision, dim: dim, tokens: tokens,
      candidates: names)
    if let answer = EngineCache.answer(question, in: cache), names.indices.contains(answer) {
      return try result(candidates[answer])
    }
    let trial = try MatmulTrial(candidates, dim: dim, tokens: tokens)
    let index = MatmulTrial.choice(trial.seconds)
    say("matmul speeds of one thread: \(trial.description); chosen: \(candidates[index].name)")
    EngineCache.remember(question, index, in: cache)
    return try result(candidates[index])
  }

  /// What has changed between two choices.
  private static func difference(_ old: EngineChoice, _ new: EngineChoice) -> String {
    if old.processor != new.processor && old.kernels == new.kernels && old.blas == new.blas {
      return "this run was started on another processor (\(old.processor), now \(new.processor))"
    }
    return
      "this run multiplied matrices by \(old.matmul) (kernels \(old.kernels.rawValue), \(old.processor)) and now does by "
      + "\(new.matmul) (kernels \(new.kernels.rawValue), \(new.processor))"
  }
}
