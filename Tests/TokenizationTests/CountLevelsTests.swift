import Testing

@testable import Tokenization

@Suite(.timeLimit(.minutes(60))) struct CountLevelsTests {
  private func levels(_ counts: [Int]) -> CountLevels {
    var levels = CountLevels()
    for count in counts { levels.add(count) }
    return levels
  }

  /// Up to 16 a level for each count, from there eight between a power of two and the next.
  @Test(arguments: [
    (1, 1), (7, 7), (8, 8), (9, 9), (15, 15), (16, 16), (17, 16), (18, 18), (100, 96), (103, 96), (104, 104),
    (1000, 960), (1024, 1024), (.max, 15 << 59),
  ]) func aLevelBeginsAtItsLowestCount(count: Int, floor: Int) {
    #expect(levels([count]).highest == count && levels([count]).floorOfHighest == floor)
    #expect(levels([floor]).floorOfHighest == floor)
  }

  @Test func theFloorIsReachedByTheLimitAtMost() {
    let levels = levels([2, 1000, 1, 100, 3, 1])
    #expect(levels.highest == 1000)
    for (limit, floor) in [(0, 1024), (1, 104), (2, 4), (3, 3), (4, 2), (5, 2), (6, 1), (7, 1)] {
      #expect(levels.floor(ofAtMost: limit) == floor, "\(limit)")
    }
  }
}
