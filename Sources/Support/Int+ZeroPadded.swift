extension Int {
  /// Decimal digits with zeros in front, for numbered file names that sort as their numbers do:
  /// `7.zeroPadded(to: 5)` is `00007`.
  package func zeroPadded(to width: Int) -> String {
    let digits = String(self)
    return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
  }
}
