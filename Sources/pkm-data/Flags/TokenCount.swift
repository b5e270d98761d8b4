import ArgumentParser
import Foundation

/// A number of tokens as people write it: `10B`, `1.5M`, `50000`; suffixes are decimal.
struct TokenCount: ExpressibleByArgument, Sendable {
  let count: Int

  init?(argument: String) {
    var digits = argument.uppercased()
    var scale = 1.0
    if let last = digits.last, let power = ["K", "M", "B", "T"].firstIndex(of: String(last)) {
      scale = pow(1000, Double(power + 1))
      digits.removeLast()
    }
    guard let value = Double(digits), value * scale >= 1, value * scale < 1e15 else { return nil }
    count = Int((value * scale).rounded())
  }
}
