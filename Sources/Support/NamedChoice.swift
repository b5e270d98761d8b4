/// An enumeration whose cases a recipe gives by name; the error for an unknown name lists all of them.
package protocol NamedChoice: RawRepresentable, CaseIterable, Codable, Sendable where RawValue == String {}

extension NamedChoice {
  package init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    let name = try value.decode(String.self)
    guard let choice = Self(rawValue: name) else {
      let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw DecodingError.dataCorruptedError(
        in: value, debugDescription: "'\(name)' is not one of its names: \(names)")
    }
    self = choice
  }
}
