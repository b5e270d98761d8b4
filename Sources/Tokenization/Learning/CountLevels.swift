/// A histogram of counts, with eight levels per octave.
struct CountLevels {
  private var levels = [Int](repeating: 0, count: 64 * 8)
  private(set) var highest = 0

  private static func level(_ count: Int) -> Int {
    if count < 8 { return count }
    let octave = Int.bitWidth - 1 - count.leadingZeroBitCount
    return (octave - 2) * 8 + (count >> (octave - 3)) & 7
  }

  private static func floor(_ level: Int) -> Int {
    level < 8 ? level : (8 + level % 8) << (level / 8 - 1)
  }

  mutating func add(_ count: Int) {
    levels[Self.level(count)] += 1
    highest = max(highest, count)
  }

  /// The lowest count in the level of ``highest``.
  var floorOfHighest: Int { Self.floor(Self.level(highest)) }

  /// The lowest count of a level that at most `limit` of the counts reach.
  func floor(ofAtMost limit: Int) -> Int {
    var reached = 0
    var level = levels.count - 1
    while level > 0, reached + levels[level] <= limit {
      reached += levels[level]
      level -= 1
    }
    return Self.floor(level + 1)
  }
}
