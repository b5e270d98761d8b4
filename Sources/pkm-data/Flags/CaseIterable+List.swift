extension CaseIterable where Self: RawRepresentable, RawValue == String {
  /// `a, b or c`, for help texts.
  static var list: String {
    let names = allCases.map(\.rawValue)
    return names.count < 2 ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + names.last!
  }
}
