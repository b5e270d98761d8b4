import Foundation

/// How the weights of all reads are distributed over the slots of a memory (Lample et al., 2019, section 4.2).
struct PlainUse {
  let usage, kl: Double

  init(_ reads: some Sequence<PlainModel.Read>, slots: Int) {
    var mass = [Double](repeating: 0, count: slots)
    for read in reads { mass[read.slot] += read.weight }
    let total = mass.reduce(0, +)
    usage = Double(mass.count { $0 > 0 }) / Double(slots)
    // KL(z ‖ uniform) = Σ z log(z / (1 / slots))
    kl = mass.filter { $0 > 0 }.reduce(0) { $0 + $1 / total * log($1 / total * Double(slots)) }
  }
}
