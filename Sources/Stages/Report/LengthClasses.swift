import Foundation

/// Counts of lengths, in four classes per octave.
struct LengthClasses {
  private(set) var count = 0
  private(set) var total = 0
  private(set) var longest = 0
  /// Class 0 holds length 0, class n the lengths from 2^((n - 1) / 4).
  private(set) var classes: [Int] = []

  mutating func add(_ length: Int) {
    count += 1
    total += length
    longest = max(longest, length)
    let number = Self.number(of: length)
    while classes.count <= number { classes.append(0) }
    classes[number] += 1
  }

  mutating func add(_ other: LengthClasses) {
    count += other.count
    total += other.total
    longest = max(longest, other.longest)
    while classes.count < other.classes.count { classes.append(0) }
    for (number, count) in other.classes.enumerated() { classes[number] += count }
  }

  private static func number(of length: Int) -> Int {
    length <= 0 ? 0 : 1 + Int((log2(Double(length)) * 4).rounded(.down))
  }

  /// The lengths of a class, from a number up to but not including another.
  static func bounds(of number: Int) -> (from: Double, to: Double) {
    number == 0 ? (0, 1) : (pow(2, Double(number - 1) / 4), pow(2, Double(number) / 4))
  }

  var mean: Double { Double(total) / Double(max(1, count)) }

  /// The length that a share of the things does not exceed, as near as the classes tell.
  func quantile(_ share: Double) -> Double {
    var left = share * Double(count)
    for (number, count) in classes.enumerated() where count > 0 {
      if left <= Double(count) {
        let (from, to) = Self.bounds(of: number)
        return number == 0 ? 0 : min(Double(longest), from + (to - from) * left / Double(count))
      }
      left -= Double(count)
    }
    return Double(longest)
  }
}
