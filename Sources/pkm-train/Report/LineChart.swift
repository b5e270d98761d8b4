import Foundation
import Support

/// The curves of several runs over the tokens seen, as inline SVG.
struct LineChart {
  typealias Curve = RunCurves.Curve

  let title: String
  /// One curve per run, in the order of the colors; empty curves are not drawn.
  let curves: [Curve]
  /// Whether the vertical axis is logarithmic, for metrics that fall over decades, such as perplexity.
  var isLogarithmic = false
  /// The number of points to which longer curves are averaged, because a screen shows no more.
  private static let mostPoints = 300

  private static let width = 520.0, height = 230.0
  private static let left = 52.0, right = 510.0, top = 12.0, bottom = 196.0

  /// A figure, or an empty string if no curve has a point to draw.
  var html: String {
    let curves = curves.map { Self.thinned($0.filter { $0.y.isFinite && (!isLogarithmic || $0.y > 0) }) }
    let points = curves.flatMap { $0 }
    guard let furthest = points.map(\.x).max(), points.count > 1 else { return "" }
    let (low, high) = range(points.map(\.y))
    let lastX = max(furthest, 1)
    func place(_ point: (x: Double, y: Double)) -> String {
      String(
        format: "%.1f,%.1f", Self.left + (Self.right - Self.left) * point.x / lastX,
        vertical(point.y, low, high))
    }
    var marks = ""
    for tick in ticks(low, high) {
      let y = vertical(tick, low, high)
      marks += String(
        format: "<line class=\"grid\" x1=\"%.0f\" y1=\"%.1f\" x2=\"%.0f\" y2=\"%.1f\"/>", Self.left, y,
        Self.right, y)
      marks += String(
        format: "<text text-anchor=\"end\" x=\"%.0f\" y=\"%.1f\">%@</text>", Self.left - 6, y + 4,
        Self.label(tick))
    }
    for tick in Self.linearTicks(0, lastX) {
      let x = Self.left + (Self.right - Self.left) * tick / lastX
      marks += String(
        format: "<text text-anchor=\"middle\" x=\"%.1f\" y=\"%.0f\">%@</text>", x, Self.bottom + 18,
        Self.label(tick))
    }
    for (number, curve) in curves.enumerated() where !curve.isEmpty {
      let path = curve.map(place).joined(separator: " ")
      marks += "<polyline class=\"run\" style=\"stroke:\(Self.color(number))\" points=\"\(path)\"/>"
    }
    return """
      <figure>
      <figcaption>\(ReportPage.escape(title))</figcaption>
      <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" aria-label="\(ReportPage.escape(title)) over tokens">
      \(marks)
      </svg>
      </figure>
      """
  }

  /// A color of the palette of Okabe and Ito, for color-blind readers; each shows on light and dark backgrounds.
  static func color(_ number: Int) -> String {
    let colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c"]
    return colors[number % colors.count]
  }

  private static func thinned(_ curve: Curve) -> Curve {
    guard curve.count > mostPoints else { return curve }
    return (0..<mostPoints).map { bin in
      let part = curve[(bin * curve.count / mostPoints)..<((bin + 1) * curve.count / mostPoints)]
      let count = Double(part.count)
      return (part.reduce(0) { $0 + $1.x } / count, part.reduce(0) { $0 + $1.y } / count)
    }
  }

  // MARK: Scales

  private func range(_ values: [Double]) -> (low: Double, high: Double) {
    var (low, high) = (values.min()!, values.max()!)
    if isLogarithmic { return low == high ? (low / 2, high * 2) : (low, high) }
    if low >= 0 && low < 0.5 * high { low = 0 }
    if low == high { (low, high) = (low - max(1e-9, abs(low) / 2), high + max(1e-9, abs(high) / 2)) }
    return (low, high)
  }

  private func vertical(_ value: Double, _ low: Double, _ high: Double) -> Double {
    let share =
      isLogarithmic
      ? (Foundation.log(value) - Foundation.log(low)) / (Foundation.log(high) - Foundation.log(low))
      : (value - low) / (high - low)
    return Self.bottom - (Self.bottom - Self.top) * share
  }

  private func ticks(_ low: Double, _ high: Double) -> [Double] {
    guard isLogarithmic && high / low > 4 else { return Self.linearTicks(low, high) }
    let steps = high / low > 300 ? [1.0] : [1, 2, 5]
    return (-12...15).flatMap { decade in steps.map { $0 * pow(10, Double(decade)) } }
      .filter { $0 >= low && $0 <= high }
  }

  /// About five multiples of 1, 2 or 5 times a power of ten.
  private static func linearTicks(_ low: Double, _ high: Double) -> [Double] {
    let rough = (high - low) / 5
    let power = pow(10, Foundation.log10(rough).rounded(.down))
    let step = [1.0, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? rough
    guard step.isFinite, step > 0 else { return [] }
    // Of numbers that differ by less than they can be told apart there would be millions.
    return stride(from: (low / step).rounded(.up) * step, through: high + step / 1000, by: step).prefix(20)
      .map { $0 }
  }

  private static func label(_ value: Double) -> String {
    for (unit, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where abs(value) >= unit {
      return String(format: "%.3g", value / unit) + name
    }
    return value == 0 ? "0" : String(format: "%.3g", value)
  }
}
