import Model
import Support

/// Where a run computes: the one place that chooses a device, and the threads that work on the host beside it.
package struct Engine {
  package let device: any Operations<Float>
  /// For work on the host, such as drawing tokens.
  package let pool: WorkerPool

  /// - Parameters:
  ///   - threads: of the processor.
  ///   - library: that multiplies matrices; nil for the fastest on this machine. Throws if it is not installed.
  package init(precision: EngineSettings.Precision, library: EngineSettings.Library? = nil, threads: Int)
    throws(Failure)
  {
    pool = WorkerPool(threads: threads)
    device = try CPUOperations<Float>(
      pool: pool, settings: EngineSettings(precision: precision, library: library))
  }
}
