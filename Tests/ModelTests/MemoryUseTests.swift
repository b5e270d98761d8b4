import Foundation
import Model
import Testing

/// Measures of how evenly slots are read, on numbers small enough to work out by hand.
@Suite(.timeLimit(.minutes(60))) struct MemoryUseTests {
  @Test func evenReadsAreTheBest() {
    let use = MemoryUse(mass: [2, 2, 2, 2])
    #expect(use.usage == 1 && abs(use.kl) < 1e-12)
    #expect(abs(use.effectiveSlots - 4) < 1e-12 && abs(use.gini) < 1e-12)
    #expect(use.slotsOfShare == (2, 4, 4))
  }

  @Test func oneSlotForAllReadsIsTheWorst() {
    let use = MemoryUse(mass: [0, 0, 5, 0])
    #expect(use.usage == 0.25 && abs(use.kl - log(4)) < 1e-12)
    #expect(abs(use.effectiveSlots - 1) < 1e-12 && abs(use.gini - 0.75) < 1e-12)
    #expect(use.slotsOfShare == (1, 1, 1))
  }

  /// z = 1/2, 1/4, 1/4, 0, 0: entropy 1.5 bits, Gini 1 - (1/2 + 3/4 + 5/4) / 5.
  @Test func unevenReadsAreBetween() {
    let use = MemoryUse(mass: [1, 0, 2, 0, 1])
    #expect(abs(use.usage - 0.6) < 1e-12 && abs(use.kl - (log(5) - 1.5 * log(2))) < 1e-12)
    #expect(abs(use.effectiveSlots - pow(2, 1.5)) < 1e-12 && abs(use.gini - 0.5) < 1e-12)
    #expect(use.slotsOfShare == (1, 3, 3))
  }

  @Test func noReadsAtAll() {
    let use = MemoryUse(mass: [0, 0, 0])
    #expect(use.usage == 0 && use.kl == 0 && use.slotsOfShare == (0, 0, 0))
  }
}
