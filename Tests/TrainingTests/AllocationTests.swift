import CAllocations
import Model
import Support
import Synchronization
import Testing
import Training

/// Nothing is allocated inside a step: forward, loss, backward and update.
///
/// With our own products: a library may take memory for what it packs, and gives it back.
@Suite(.serialized, .enabled(if: allocations_are_counted()), .timeLimit(.minutes(60))) struct AllocationTests
{
  /// Runs `body` on every thread of the pool at once.
  private func onEveryThread(of pool: WorkerPool, _ body: () -> Void) {
    let arrived = Atomic<Int>(0)
    pool.forEach(pool.threads) { _, _ in
      body()
      arrived.add(1, ordering: .sequentiallyConsistent)
      var left = 10_000_000_000
      while arrived.load(ordering: .sequentiallyConsistent) < pool.threads && left > 0 { left -= 1 }
    }
  }

  /// What steps 3 to 5 allocate on the threads of a pool.
  private func allocations(
    threads: Int, precision: EngineSettings.Precision, norm: ModelConfiguration.Norm,
    alsoAllocate: Bool = false
  ) throws -> (count: Int, largest: Int) {
    var configuration = ModelConfiguration()
    configuration.layers = 3
    configuration.dim = 64
    configuration.heads = 2
    configuration.context = 48
    configuration.dropout = 0.1
    configuration.norm = norm
    configuration.vocabularySize = 300
    var memory = ModelConfiguration.Memory()
    (memory.layers, memory.subkeys, memory.heads, memory.topk, memory.queryDim) = ([2], 16, 2, 4, 32)
    configuration.memory = memory
    var train = TrainingConfiguration()
    train.clip = 1
    train.batch = 4
    let pool = WorkerPool(threads: threads), sequences = train.batch, length = configuration.context
    defer { pool.close() }
    let device = try CPUOperations<Float>(
      pool: pool, settings: EngineSettings(precision: precision, library: .generic))
    let model = try Transformer(
      configuration, device: device, batch: (sequences, length), training: true, seed: 1, checksMemory: false)
    let stepper = TrainingStep(model, try Optimizer(model), train)
    let ids = (0...sequences * length).map { Int32($0 * 7919 % configuration.vocabularySize) }
    func step() {
      ids.withUnsafeBufferPointer { ids in
        stepper.run(
          inputs: UnsafeBufferPointer(rebasing: ids.dropLast()),
          targets: UnsafeBufferPointer(rebasing: ids.dropFirst()))
        _ = model.readStep()
      }
    }
    for _ in 0..<3 { step() }
    onEveryThread(of: pool) { count_allocations(true) }
    clear_allocations()
    for _ in 0..<3 { step() }
    if alsoAllocate { UnsafeMutablePointer<Int>.allocate(capacity: 1000).deallocate() }
    let result = (counted_allocations(), largest_allocation())
    onEveryThread(of: pool) { count_allocations(false) }
    return result
  }

  @Test(arguments: EngineSettings.Precision.allCases, [ModelConfiguration.Norm.pre, .post])
  func aStepAllocatesNothing(precision: EngineSettings.Precision, norm: ModelConfiguration.Norm) throws {
    #expect(try allocations(threads: 1, precision: precision, norm: norm).count == 0)
    // An object for each loop that is shared out: the closure as other threads may hold it.
    #expect(try allocations(threads: 2, precision: precision, norm: norm).largest <= 64)
  }

  @Test func anAllocationIsCounted() throws {
    let found = try allocations(threads: 1, precision: .fp32, norm: .pre, alsoAllocate: true)
    #expect(found == (1, 8000))
  }
}
