import Testing

enum ChiSquare {
  /// Counts of a sample against probabilities; what is improbable is counted together. Seeds are fixed, so a sample that
  /// passes once passes always.
  static func expect(
    _ counts: [Int], _ probabilities: [Double], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let total = Double(counts.reduce(0, +))
    var statistic = 0.0, cells = 0, rest = (count: 0.0, expected: 0.0)
    func add(_ count: Double, _ expected: Double) {
      statistic += (count - expected) * (count - expected) / expected
      cells += 1
    }
    for (count, probability) in zip(counts, probabilities) {
      if probability == 0 {
        #expect(count == 0, "a token that was cut off", sourceLocation: sourceLocation)
      } else if probability * total < 8 {
        rest = (rest.count + Double(count), rest.expected + probability * total)
      } else {
        add(Double(count), probability * total)
      }
    }
    if rest.expected > 8 { add(rest.count, rest.expected) }
    // Mean and deviation of the distribution of chi-square, which four deviations cover.
    let freedom = Double(cells - 1)
    #expect(
      cells >= 2 && statistic < freedom + 4 * (2 * freedom).squareRoot(), "\(statistic) of \(cells) cells",
      sourceLocation: sourceLocation)
  }
}
