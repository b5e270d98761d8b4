/// A line of `metrics.jsonl`, without what depends on the machine.
struct PlainLine: Equatable {
  var step, tokens: Int
  var split: String?
  var numbers: [String: Double]
}

/// What a run leaves behind: the lines of its log, the names of its checkpoints and the tensors of the newest.
struct RunRecord {
  var lines: [PlainLine] = []
  var checkpoints: [String] = []
  /// Parameters, running statistics and moments by name.
  var tensors: [String: [Double]] = [:]

  /// What differs from `right` by more than `tolerance`, relative to the largest number of a tensor or to a number of a
  /// line.
  func differences(from right: RunRecord, tolerance: Double) -> [String] {
    var found: [String] = []
    if checkpoints != right.checkpoints {
      found.append("checkpoints \(checkpoints), not \(right.checkpoints)")
    }
    if lines.count != right.lines.count { found.append("\(lines.count) lines, not \(right.lines.count)") }
    for (mine, line) in zip(lines, right.lines) {
      let place = "step \(line.step) \(line.split ?? "")"
      if (mine.step, mine.tokens) != (line.step, line.tokens) || mine.split != line.split {
        found.append("\(mine.step) \(mine.tokens) \(mine.split ?? ""), not \(place) \(line.tokens)")
      }
      if Set(mine.numbers.keys) != Set(line.numbers.keys) {
        found.append("\(place): \(mine.numbers.keys.sorted())")
      }
      for (name, number) in line.numbers {
        let other = mine.numbers[name] ?? .nan
        // A mean of no steps is none, here and there.
        if number.isNaN && other.isNaN && mine.numbers[name] != nil { continue }
        if !(abs(other - number) <= tolerance * max(abs(number), 1e-3)) {
          found.append("\(place): \(name) is \(other), not \(number)")
        }
      }
    }
    if Set(tensors.keys) != Set(right.tensors.keys) { found.append("tensors \(tensors.keys.sorted())") }
    for (name, numbers) in right.tensors.sorted(by: { $0.key < $1.key }) {
      let mine = tensors[name] ?? []
      // The gradient of a bias before a batch norm is nothing but rounding.
      let largest = max(numbers.map(abs).max() ?? 0, name.hasSuffix("second_moment") ? 1e-9 : 1e-4)
      let error = zip(mine, numbers).map { abs($0 - $1) / largest }.max() ?? .infinity
      if mine.count != numbers.count || !(error <= tolerance) { found.append("\(name) by \(error)") }
    }
    return found
  }
}
