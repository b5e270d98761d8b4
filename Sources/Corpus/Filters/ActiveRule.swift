/// A rule that is active, with its threshold.
package struct ActiveRule: Sendable {
  package let rule: FilterRule
  package let threshold: Double?

  /// Whether a document with this value is kept.
  func keeps(_ value: Double) -> Bool {
    switch rule.bound {
    case .minimum: value >= threshold!
    case .maximum: value <= threshold!
    case .none: true
    }
  }

  /// A value that failed, for reports: "7, at least 50".
  func verdict(on value: Double) -> String {
    guard let threshold else { return "" }
    let bound = if case .minimum = rule.bound { "at least" } else { "at most" }
    return "\(Self.json(value)), \(bound) \(Self.json(threshold))"
  }

  /// A measured value with at most six decimals, as in JSON.
  static func json(_ value: Double) -> String {
    let rounded = (value * 1e6).rounded() / 1e6
    return rounded == rounded.rounded() && abs(rounded) < 1e15 ? String(Int(rounded)) : String(rounded)
  }
}
