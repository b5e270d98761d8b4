/// The number of tokens of `train` to take from each of several datasets.
package struct DatasetMixture: Sendable, Equatable {
  /// The tokens to take from each input, end-of-document ids included. A quota larger than the input repeats
  /// it from its start.
  package let quotas: [Int]

  /// Takes each input a number of times: 2.5 means twice and then half of it.
  package init(epochs: [Double], tokens: [Int]) {
    quotas = zip(epochs, tokens).map { Int(($0 * Double($1)).rounded()) }
  }

  /// Takes shares in proportion to the weights.
  ///
  /// Without a budget the result is as large as possible without repeating a document.
  package init(weights: [Double], tokens: [Int], budget: Int?) {
    let sum = weights.reduce(0, +)
    let shares = weights.map { $0 / sum }
    let largest = zip(shares, tokens).filter { $0.0 > 0 }.map { Double($1) / $0 }.min() ?? 0
    let total = budget.map(Double.init) ?? largest
    // The thousandth keeps a whole dataset whole if its share has no exact binary representation.
    quotas = shares.map { Int((total * $0 + 0.001).rounded(.down)) }
  }

  /// Takes at most `budget` tokens, from all inputs in proportion to their size.
  package init(budget: Int, tokens: [Int]) {
    let total = tokens.reduce(0, +)
    self.init(weights: tokens.map(Double.init), tokens: tokens, budget: min(budget, total))
  }
}
