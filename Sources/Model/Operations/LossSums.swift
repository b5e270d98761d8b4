import Support

/// Sums of losses that stay on the device until someone reads them: nll, smoothed loss and count of scored tokens.
package struct LossSums: Sendable {
  package static let count = 3
  package let numbers: DeviceArray<Double>

  package init(_ numbers: DeviceArray<Double>) {
    precondition(numbers.count == Self.count)
    self.numbers = numbers
  }
}

extension Loss {
  /// The numbers of ``LossSums``.
  init(_ numbers: some RandomAccessCollection<Double>) {
    let numbers = Array(numbers)
    self.init(nll: numbers[0], smoothed: numbers[1], count: Int(numbers[2]))
  }
}
