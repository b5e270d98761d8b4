import Foundation

/// How the weights of all reads are distributed over the slots of a memory (Lample et al., 2019, section 4.2).
struct PlainUse {
  let usage, kl, effectiveSlots, gini: Double
  /// The fewest slots that have 50, 90 and 99 % of the weight.
  let fewest: [Int]

  init(_ reads: some Sequence<PlainModel.Read>, slots: Int) {
    var mass = [Double](repeating: 0, count: slots)
    for read in reads { mass[read.slot] += read.weight }
    let total = mass.reduce(0, +)
    usage = Double(mass.count { $0 > 0 }) / Double(slots)
    // KL(z ‖ uniform) = Σ z log(z / (1 / slots))
    kl = mass.filter { $0 > 0 }.reduce(0) { $0 + $1 / total * log($1 / total * Double(slots)) }
    effectiveSlots = exp(-mass.filter { $0 > 0 }.reduce(0) { $0 + $1 / total * log($1 / total) })
    // Half the mean difference of two slots, in units of the mean.
    var differences = 0.0
    for one in mass { for other in mass { differences += abs(one - other) } }
    gini = differences / (2 * Double(slots) * total)
    fewest = [0.5, 0.9, 0.99].map { share in
      (1...slots).first { mass.sorted(by: >)[..<$0].reduce(0, +) >= share * total }!
    }
  }

  /// Means over the memories.
  static func means(_ uses: [PlainUse], named prefix: String = "memory") -> [String: Double] {
    guard !uses.isEmpty else { return [:] }
    return [
      prefix + "_usage": uses.map(\.usage).reduce(0, +) / Double(uses.count),
      prefix + "_kl": uses.map(\.kl).reduce(0, +) / Double(uses.count),
    ]
  }
}
