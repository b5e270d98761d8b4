import Model
import Support

/// How the next token is drawn.
package struct Sampling: Sendable {
  /// 0 always takes the most probable token.
  package var temperature = 0.8
  /// Draw among the k most probable only; nil: all.
  package var topK: Int?
  /// Draw among the fewest most probable tokens that together hold this probability (nucleus sampling, Holtzman et al.,
  /// 2020).
  package var topP = 1.0

  /// Draw among tokens whose probability is at least this share of the largest one (Nguyen et al., 2024).
  package var minP = 0.0
  /// The logits of tokens that are in the text already are divided by it where they are above 0, and multiplied where they
  /// are below (Keskar et al., 2019); 1 changes nothing.
  package var repetitionPenalty = 1.0

  package init(
    temperature: Double = 0.8, topK: Int? = nil, topP: Double = 1, minP: Double = 0,
    repetitionPenalty: Double = 1
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
  }

  /// Applies the penalty for repetitions to the logits of the tokens of a text, once for each different token.
  func penalize(_ tokens: some Sequence<Int32>, in logits: UnsafeMutableBufferPointer<Float>) {
    let penalty = Float(repetitionPenalty)
    for token in Set(tokens) {
      let logit = logits[Int(token)]
      logits[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
    }
  }

  /// What is drawn where no logit is a number: the model is damaged, or its training has diverged.
  package static let none: Int32 = -1

  /// Draws a token. Of equal logits those of smaller ids are kept first, so that a seed always gives the same text.
  package func draw(from logits: UnsafeBufferPointer<Float>, using random: inout RandomGenerator) -> Int32 {
    let largest = HostSoftmax.largest(of: logits)
    if !largest.isFinite { return Self.none }
    if temperature <= 0 { return Int32(logits.firstIndex(of: largest) ?? 0) }
    let blocks = (logits.count + HostSoftmax.block - 1) / HostSoftmax.block
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: logits.count) { weights in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: blocks) { sums in
        if topK == nil {
          HostSoftmax.weights(of: logits, top: largest, factor: 1 / temperature, into: weights, sums: sums)
          if topP >= 1 && minP <= 0 { return Self.draw(from: weights, sums: sums, using: &random) }
        }
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: logits.count) { space in
          withUnsafeTemporaryAllocation(of: Int32.self, capacity: logits.count) { ids in
            var tokens = Candidates(ids: ids, numbers: weights, space: space)
            var total: Double
            if let topK {
              tokens.gather(logits, atLeast: Self.reached(by: topK, of: logits, space))
              tokens.keep(topK)
              HostSoftmax.weights(
                of: UnsafeBufferPointer(tokens.kept), top: largest, factor: 1 / temperature,
                into: tokens.kept, sums: sums)
              total = tokens.kept.reduce(0) { $0 + Double($1) }
            } else {
              total = sums.reduce(0, +)
              // Tokens below this hold less than 1 - p together, so none of the nucleus is among them.
              let floor = Float((1 - topP) * total / Double(logits.count)).nextDown
              tokens.gather(UnsafeBufferPointer(weights), atLeast: floor)
            }
            if topP < 1 { total = tokens.keep(mass: topP * total) }
            if minP > 0 { total = tokens.keep(shareOfLargest: minP) }
            return tokens.draw(random.uniform() * total)
          }
        }
      }
    }
  }

  /// From all tokens: first the block, then the token in it.
  private static func draw(
    from weights: UnsafeMutableBufferPointer<Float>, sums: UnsafeMutableBufferPointer<Double>,
    using random: inout RandomGenerator
  ) -> Int32 {
    var point = random.uniform() * sums.reduce(0, +), last = 0
    for block in sums.indices where sums[block] > 0 {
      last = block
      if point < sums[block] { break }
      point -= sums[block]
    }
    let first = last * HostSoftmax.block, end = min(first + HostSoftmax.block, weights.count)
    for id in first..<end {
      point -= Double(weights[id])
      if point < 0 { return Int32(id) }
    }
    return Int32(end - 1)
  }

  /// A number that at least k logits reach, and not many more: the k-th largest of the maxima of short runs.
  private static func reached(
    by k: Int, of logits: UnsafeBufferPointer<Float>, _ space: UnsafeMutableBufferPointer<Float>
  ) -> Float {
    let run = 64, runs = logits.count / run
    guard k <= runs else { return -.infinity }
    for index in 0..<runs {
      space[index] = HostSoftmax.largest(
        of: UnsafeBufferPointer(rebasing: logits[index * run..<(index + 1) * run]))
    }
    return Cut(UnsafeMutableBufferPointer(rebasing: space[..<runs]), reaching: Double(k), mass: { _ in 1 })
      .value
  }
}

/// Tokens that may be drawn, in the order of their ids, with a logit or a weight each.
private struct Candidates {
  let ids: UnsafeMutableBufferPointer<Int32>
  let numbers: UnsafeMutableBufferPointer<Float>
  /// Scratch of the same size.
  let space: UnsafeMutableBufferPointer<Float>
  private var count = 0

  init(
    ids: UnsafeMutableBufferPointer<Int32>, numbers: UnsafeMutableBufferPointer<Float>,
    space: UnsafeMutableBufferPointer<Float>
  ) {
    (self.ids, self.numbers, self.space) = (ids, numbers, space)
  }

  /// Their numbers.
  var kept: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(rebasing: numbers[..<count]) }

  /// Those of all tokens whose number is not below `floor`; `all` may be the buffer of the numbers.
  mutating func gather(_ all: UnsafeBufferPointer<Float>, atLeast floor: Float) {
    var count = 0
    // Without a branch, which no processor could predict.
    for id in 0..<all.count {
      let number = all[id]
      ids[count] = Int32(truncatingIfNeeded: id)
      numbers[count] = number
      count += number >= floor ? 1 : 0
    }
    self.count = count
  }

  /// Only the k largest.
  mutating func keep(_ k: Int) {
    guard k < count else { return }
    let cut = cut(reaching: Double(k)) { _ in 1 }
    keep(cut, ties: k - Int(cut.above))
  }

  /// Only the fewest largest that add up to `mass`; returns the sum of what is kept.
  mutating func keep(mass: Double) -> Double {
    let cut = cut(reaching: mass) { Double($0) }
    let ties = max(1, ((mass - cut.above) / Double(cut.value)).rounded(.up))
    keep(cut, ties: Int(min(ties, Double(count))))
    return kept.reduce(0) { $0 + Double($1) }
  }

  /// Only those that have at least this share of the largest; returns the sum of what is kept.
  mutating func keep(shareOfLargest share: Double) -> Double {
    let floor = Float(share) * (kept.max() ?? 0)
    var count = 0
    for index in 0..<self.count where numbers[index] >= floor {
      (ids[count], numbers[count]) = (ids[index], numbers[index])
      count += 1
    }
    self.count = count
    return kept.reduce(0) { $0 + Double($1) }
  }

  private func cut(reaching target: Double, mass: (Float) -> Double) -> Cut {
    let copy = UnsafeMutableBufferPointer(rebasing: space[..<count])
    _ = copy.update(fromContentsOf: kept)
    return Cut(copy, reaching: target, mass: mass)
  }

  private mutating func keep(_ cut: Cut, ties: Int) {
    var count = 0, ties = ties
    for index in 0..<self.count {
      let number = numbers[index], isTie = number == cut.value && ties > 0
      guard number > cut.value || isTie else { continue }
      if isTie { ties -= 1 }
      (ids[count], numbers[count]) = (ids[index], number)
      count += 1
    }
    self.count = count
  }

  /// The token at `point` of the sum of all weights.
  func draw(_ point: Double) -> Int32 {
    var point = point
    for index in 0..<count {
      point -= Double(numbers[index])
      if point < 0 { return ids[index] }
    }
    return count > 0 ? ids[count - 1] : 0
  }
}

/// Where the largest numbers together reach a target.
private struct Cut {
  /// The smallest of those numbers.
  private(set) var value = -Float.infinity
  /// What the numbers above it add up to.
  private(set) var above = 0.0

  /// By partition, as in quickselect (Hoare, 1961); the order of `x` is lost.
  init(_ x: UnsafeMutableBufferPointer<Float>, reaching target: Double, mass: (Float) -> Double) {
    var low = 0, high = x.count
    while low < high {
      let (a, b, c) = (x[low], x[(low + high) / 2], x[high - 1])
      value = max(min(a, b), min(max(a, b), c))
      // Larger ones in low..<equal, equal ones in equal..<smaller.
      var equal = low, next = low, smaller = high, larger = 0.0
      while next < smaller {
        let number = x[next]
        if number > value {
          x.swapAt(equal, next)
          larger += mass(number)
          equal += 1
          next += 1
        } else if number < value {
          smaller -= 1
          x.swapAt(next, smaller)
        } else {
          next += 1
        }
      }
      let upTo = above + larger + Double(smaller - equal) * mass(value)
      if above + larger >= target {
        high = equal
      } else if upTo >= target || smaller == high {
        above += larger
        return
      } else {
        (above, low) = (upTo, smaller)
      }
    }
  }
}
