import ArgumentParser
import Foundation

/// A size in bytes as people write it: `800M`, `2G`, `2GiB`, `65536`.
///
/// `G`, `GB` and `GiB` all mean 2^30 bytes.
package struct ByteSize: ExpressibleByArgument, CustomStringConvertible, Sendable {
  package let bytes: Int

  /// The size in the largest unit that gives a whole number: `256M`.
  package var description: String {
    var (value, unit) = (bytes, "")
    for next in ["K", "M", "G", "T"] where value >= 1024 && value % 1024 == 0 {
      (value, unit) = (value / 1024, next)
    }
    return "\(value)\(unit)"
  }

  package init?(argument: String) {
    var digits = argument.uppercased()
    for suffix in ["IB", "B"] where digits.hasSuffix(suffix) {
      digits.removeLast(suffix.count)
      break
    }
    var scale = 1.0
    if let last = digits.last, let power = ["K", "M", "G", "T"].firstIndex(of: String(last)) {
      scale = pow(1024, Double(power + 1))
      digits.removeLast()
    }
    guard let value = Double(digits), value * scale >= 1, value * scale < 1e18 else { return nil }
    bytes = Int(value * scale)
  }
}
