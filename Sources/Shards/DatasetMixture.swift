/// How many tokens of `train` to take from each of several datasets.
package struct DatasetMixture: Sendable, Equatable {
  /// Tokens to take from each input, end-of-document ids included: more than it has means again from its beginning.
  package let quotas: [Int]

  /// The whole of each input so many times: 2.5 is two times and half of it.
  package init(epochs: [Double], tokens: [Int]) {
    quotas = zip(epochs, tokens).map { Int(($0 * Double($1)).rounded()) }
  }

  /// Shares of the result in proportion to the weights.
  ///
  /// Without a budget the result is as large as it can be with no document repeated.
  package init(weights: [Double], tokens: [Int], budget: Int?) {
    let sum = weights.reduce(0, +)
    let shares = weights.map { $0 / sum }
    let largest = zip(shares, tokens).filter { $0.0 > 0 }.map { Double($1) / $0 }.min() ?? 0
    let total = budget.map(Double.init) ?? largest
    // The thousandth keeps a whole dataset whole when its share has no exact binary form.
    quotas = shares.map { Int((total * $0 + 0.001).rounded(.down)) }
  }

  /// No more than a budget, of all inputs in proportion to their size.
  package init(budget: Int, tokens: [Int]) {
    let total = tokens.reduce(0, +)
    self.init(weights: tokens.map(Double.init), tokens: tokens, budget: min(budget, total))
  }
}
