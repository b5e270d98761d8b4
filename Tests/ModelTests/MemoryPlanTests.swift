import Support
import Testing

@testable import Model

@Suite(.timeLimit(.minutes(60))) struct MemoryPlanTests {
  /// A ledger, what it reported and what it overwrote.
  final class Record {
    var reports: [String] = []
    var poisoned: [Range<Int>] = []
    lazy var ledger = BufferLedger(
      report: { [unowned self] in reports.append($0) }, poison: { [unowned self] in poisoned.append($0) })
  }

  @Test func twoLiveBuffersThatOverlapAreNamed() {
    let record = Record(), ledger = record.ledger
    let loss = ledger.addScope("output head", .loss), scratch = ledger.addScope("blocks", .scratch)
    ledger.addBuffer("logits", 0..<100, scope: loss)
    ledger.addBuffer("branch", 0..<64, scope: scratch)
    ledger.addBuffer("queries", 64..<128, scope: scratch)
    BufferScope(loss, in: ledger).begin()
    BufferScope(loss, in: ledger).end()
    BufferScope(scratch, in: ledger).begin()
    #expect(record.reports.isEmpty && record.poisoned == [0..<100])
    BufferScope(loss, in: ledger).begin()
    #expect(
      record.reports == [
        "the buffer 'logits' (output head, loss) would overwrite 'branch' (blocks, scratch), which is live",
        "the buffer 'logits' (output head, loss) would overwrite 'queries' (blocks, scratch), which is live",
      ])
  }

  @Test func overlapsWithinAScopeAndWithTheArenaAreFound() {
    let record = Record(), ledger = record.ledger
    ledger.addBuffer("tokens", 0..<64, scope: 0)
    let scope = ledger.addScope("block 0", .training)
    ledger.addBuffer("qkv", 0..<32, scope: scope)
    ledger.addBuffer("hidden", 16..<48, scope: scope)
    #expect(record.reports.count == 1 && record.reports[0].contains("'qkv'"))
    BufferScope(scope, in: ledger).begin()
    #expect(record.reports.count == 3 && record.reports[1].contains("'tokens'"))
  }

  @Test func overlaysShareMemoryAndSequencesDoNot() throws {
    func layout(_ plan: inout ArenaPlan) -> [Vector<Float>] {
      let (a, b) = plan.overlay(
        { plan in plan.overlay(each: 0..<3) { vector("a\($0)", 16 * ($0 + 1), &$1) } },
        { plan in [vector("b", 64, &plan), vector("c", 64, &plan)] })
      return a + b + [vector("after", 16, &plan)]
    }
    func vector(_ name: String, _ count: Int, _ plan: inout ArenaPlan) -> Vector<Float> {
      plan.scope(name, .scratch) { $0.vector(name, count) }.content
    }
    #expect(ArenaPlan.measure(layout) == 4 * (64 + 64 + 16))
    let (vectors, arena) = try ArenaPlan.build(on: CPUOperations<Float>(pool: Pools.one), layout)
    let offsets = vectors.map { UnsafeRawPointer($0.pointer) - UnsafeRawPointer(vectors[0].pointer) }
    #expect(offsets == [0, 0, 0, 0, 256, 512])
    withExtendedLifetime(arena) {}
  }

  /// Poisoning what is dead changes no bit of what is computed: nobody reads it. Checks are on in release builds, too.
  @Test(
    arguments: [ModelConfiguration.Norm.pre, .post],
    EngineSettings.Precision.allCases.flatMap { [($0, false), ($0, true)] })
  func aCheckedModelComputesTheSame(
    norm: ModelConfiguration.Norm, _ way: (precision: EngineSettings.Precision, recomputes: Bool)
  ) throws {
    let (precision, recomputes) = way
    var configuration = smallConfiguration(norm, dropout: 0.1)
    configuration.layers = 4
    configuration.memory?.layers = [2, 3]
    func result(_ checks: Bool) throws -> (losses: [Loss], gradients: [Float]) {
      let device = try CPUOperations<Float>(
        pool: Pools.two, settings: EngineSettings(precision: precision, library: .generic))
      let model = try Transformer(
        configuration, device: device, batch: (3, 9), training: true, microBatches: 2, recomputes: recomputes,
        seed: 1, checksMemory: checks)
      let tokens = (0..<27).map { Int32($0 * 11 % 29) }, targets = (0..<27).map { Int32($0 * 17 % 29) }
      var losses: [Loss] = []
      tokens.withUnsafeBufferPointer { tokens in
        targets.withUnsafeBufferPointer { targets in
          for microBatch in 0..<2 {
            model.forward(
              tokens: tokens, sequences: 3, length: 9, mode: .training(step: 5, microBatch: microBatch))
            losses.append(model.loss(targets: targets, labelSmoothing: 0.1))
            model.backward(scale: 0.1)
            losses.append(model.evaluate(tokens: tokens, targets: targets, sequences: 3, length: 9))
          }
        }
      }
      let gradients = model.allGradients
      return (losses, gradients)
    }
    let (plain, checked) = (try result(false), try result(true))
    #expect(plain.losses == checked.losses && plain.gradients == checked.gradients)
    #expect(plain.losses.allSatisfy { $0.nll.isFinite })
  }

  @Test(arguments: [ModelConfiguration.Norm.pre, .post])
  func checkedGenerationComputesTheSame(norm: ModelConfiguration.Norm) throws {
    func logits(_ checks: Bool) throws -> [Float] {
      let model = try Transformer(
        smallConfiguration(norm), device: CPUOperations<Float>(pool: Pools.one), batch: (1, 9),
        training: false, seed: 1, checksMemory: checks)
      let cache = try model.makeCache(), bed = TestBed(model.device), out = bed.matrix(1, 29)
      var all: [Float] = []
      for tokens: [Int32] in [[1, 2, 3], [4], [5]] {
        tokens.withUnsafeBufferPointer { model.extend([cache], counts: [tokens.count], tokens: $0) }
        model.logits(rows: [tokens.count - 1], into: out)
        all += model.device.download(out.elements)
      }
      return all
    }
    let checked = try logits(true)
    #expect(try logits(false) == checked && checked.allSatisfy(\.isFinite))
  }
}
