/// Checks numbers that a file states before they are used: as a size, an index, or in arithmetic.
package struct NumberBounds {
  private let file: String
  private let remedy: String

  package init(_ file: String, remedy: String = "Remove the directory and run again") {
    (self.file, self.remedy) = (file, remedy)
  }

  /// Throws unless the number is in the range. `key` is where it stands in the file, such as `sets[0].documents`.
  package func check(_ value: Int, _ key: @autoclosure () -> String, in range: ClosedRange<Int>) throws {
    if range.contains(value) { return }
    throw Failure(
      .badInput, "\(key()) is \(value), and must be between \(range.lowerBound) and \(range.upperBound)",
      file: file, remedy: remedy)
  }

  /// The sum of numbers that are at least 0; throws if it is above `most`.
  package func sum(_ values: [Int], _ key: @autoclosure () -> String, most: Int) throws -> Int {
    var sum = 0
    for value in values {
      try check(value, key(), in: 0...most)
      let (next, overflows) = sum.addingReportingOverflow(value)
      try check(overflows ? .max : next, "the sum of " + key(), in: 0...most)
      sum = next
    }
    return sum
  }
}
