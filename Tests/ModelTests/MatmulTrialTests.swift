import CModelKernels
import Testing

@testable import Model

@Suite(.timeLimit(.minutes(60))) struct MatmulTrialTests {
  /// Our own kernels, which are the first, unless another candidate is more than a tenth faster.
  @Test(arguments: [
    ([1.0], 0), ([1, 2, 3], 0), ([1, 0.95, 0.92], 0), ([1, 0.95, 0.9], 2), ([1, 0.5, 0.8], 1),
    ([1, .infinity, 0.2], 2), ([.infinity, .infinity], 0), ([], 0),
  ]) func aClearMarginDecides(seconds: [Double], choice: Int) {
    #expect(MatmulTrial.choice(seconds) == choice)
  }

  @Test(arguments: EngineSettings.Precision.allCases)
  func candidatesAreOurOwnAndLibrariesThatMultiplyThePrecision(precision: EngineSettings.Precision) throws {
    let candidates = MatmulTrial.candidates(precision)
    #expect(candidates.first?.library == nil && candidates.allSatisfy { $0.precision == precision })
    #expect(candidates.allSatisfy { $0.instructions?.isAvailable == true })
    let names = try candidates.map { try GEMMFunctions<Float>($0).description }
    #expect(Set(names).count == names.count, "\(names)")
    if precision == .bf16 { #expect(!candidates.contains { $0.library == .openblas }) }
    if Engines.instructionSets.contains(.amx) && precision == .bf16 {
      #expect(candidates.compactMap(\.instructions).contains(.avx512bf16))
    }
  }

  @Test(arguments: EngineSettings.Precision.allCases)
  func everyCandidateIsMeasured(precision: EngineSettings.Precision) throws {
    let candidates = MatmulTrial.candidates(precision)
    let trial = try MatmulTrial(candidates, dim: 64, tokens: 128)
    #expect(trial.seconds.count == candidates.count)
    #expect(trial.seconds.allSatisfy { $0 > 0 && $0.isFinite })
    #expect(candidates.contains(trial.choice) && trial.description.contains("GFLOP/s"))
  }

  /// 2 · 12 d² operations per token forward, and twice as many backward.
  @Test func operationsOfALayer() { #expect(MatmulTrial.flops(dim: 10, tokens: 3) == 3 * 2 * 12 * 100 * 3) }
}
