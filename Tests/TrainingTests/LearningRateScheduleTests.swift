import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct LearningRateScheduleTests {
  /// Reference values of the inverse-square-root schedule: peak 2.5e-4, warm-up 4000, from 1e-7.
  @Test(arguments: [(0, 1e-7), (2000, 1.2505e-4), (4000, 2.5e-4), (16_000, 1.25e-4), (400_000, 2.5e-5)])
  func inverseSquareRoot(updates: Int, rate: Double) {
    let schedule = LearningRateSchedule(shape: .inverseSquareRoot, peak: 2.5e-4, warmup: 4000, steps: 10)
    #expect(abs(schedule.rate(afterUpdates: updates) - rate) < 1e-12)
  }

  @Test func cosineEndsAtATenthOfThePeak() {
    let schedule = LearningRateSchedule(shape: .cosine, peak: 1, warmup: 10, steps: 110)
    #expect(schedule.rate(afterUpdates: 10) == 1)
    #expect(abs(schedule.rate(afterUpdates: 60) - 0.55) < 1e-12)
    #expect(abs(schedule.rate(afterUpdates: 110) - 0.1) < 1e-12)
    let rates = (10...110).map(schedule.rate)
    #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 > $1 })
  }

  /// From 1e-7 by equal steps; the update after them is the first with the peak.
  @Test(arguments: LearningRateSchedule.Shape.allCases) func warmupIsLinear(
    _ shape: LearningRateSchedule.Shape
  ) {
    let schedule = LearningRateSchedule(shape: shape, peak: 1, warmup: 10, steps: 110)
    for (updates, rate) in [(0, 1e-7), (1, 0.10000009), (8, 0.80000002), (9, 0.90000001), (10, 1)] {
      #expect(abs(schedule.rate(afterUpdates: updates) - rate) < 1e-12, "\(updates)")
    }
  }

  @Test func withoutWarmupTheFirstUpdateHasThePeak() {
    for shape in LearningRateSchedule.Shape.allCases {
      #expect(LearningRateSchedule(shape: shape, peak: 3, warmup: 0, steps: 9).rate(afterUpdates: 0) == 3)
    }
  }

  @Test func theOthersEndWhereTheyAreTold() {
    func rates(_ shape: LearningRateSchedule.Shape, _ updates: [Int]) -> [Double] {
      let schedule = LearningRateSchedule(
        shape: shape, peak: 2, warmup: 10, steps: 110, end: 0.25, decay: 0.2)
      return updates.map(schedule.rate)
    }
    #expect(rates(.cosine, [10, 60, 110, 500]) == [2, 1.25, 0.5, 0.5])
    #expect(rates(.linear, [10, 60, 85, 110, 500]) == [2, 1.25, 0.875, 0.5, 0.5])
    // The last fifth of 110 steps begins after 88.
    #expect(rates(.warmupStableDecay, [10, 50, 88, 99, 110, 500]) == [2, 2, 2, 1.25, 0.5, 0.5])
    // A fall that would begin during the warm-up begins after it.
    let short = LearningRateSchedule(
      shape: .warmupStableDecay, peak: 2, warmup: 60, steps: 100, end: 0, decay: 1)
    #expect([60, 80, 100].map(short.rate) == [2, 1, 0])
  }
}
