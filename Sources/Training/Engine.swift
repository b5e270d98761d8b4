import Model
import Support

/// Where a run computes: the one place that chooses a device, and the threads that work on the host beside it.
package struct Engine {
  package let device: any Operations<Float>
  /// For work on the host, such as drawing tokens.
  package let pool: WorkerPool

  /// - Parameters:
  ///   - threads: of the processor.
  ///   - kernels: the instructions of our own kernels; nil for the best of the processor.
  ///   - library: that multiplies matrices; nil for the fastest on this machine. Throws if it is not installed.
  package init(
    precision: EngineSettings.Precision, kernels: EngineSettings.Instructions? = nil,
    library: EngineSettings.Library? = nil, threads: Int
  ) throws(Failure) {
    try self.init(
      EngineSettings(precision: precision, library: library, instructions: kernels),
      pool: WorkerPool(threads: threads))
  }

  init(_ settings: EngineSettings, pool: WorkerPool) throws(Failure) {
    self.pool = pool
    device = try CPUOperations<Float>(pool: pool, settings: settings)
  }
}
