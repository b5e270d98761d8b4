/// A JSON value whose strings are bytes and whose objects keep the order of their keys: fast enough for
/// tokenizer files of many megabytes.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  /// UTF-8 with its escapes resolved; half a surrogate pair becomes U+FFFD.
  case string([UInt8])
  case array([JSONValue])
  case object([Member])

  package struct Member: Sendable, Equatable {
    package let key: [UInt8]
    package let value: JSONValue

    package init(key: [UInt8], value: JSONValue) { (self.key, self.value) = (key, value) }
  }

  /// Throws a ``Failure`` with the byte offset of the first error.
  package init(parsing bytes: [UInt8], file: String? = nil) throws {
    self = try JSONReader.read(bytes, file: file) { try $0.value() }
  }

  /// The member of an object with this key; nil if there is none or this is not an object.
  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    let key = Array(key.utf8)
    return members.first { $0.key == key }?.value
  }

  package var string: String? {
    if case .string(let bytes) = self { return String(decoding: bytes, as: UTF8.self) }
    return nil
  }

  package var bool: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  package var number: Double? {
    if case .number(let value) = self { return value }
    return nil
  }

  /// A whole number from 0 to 2⁵³, beyond which a JSON number is no longer exact; nil for any other value.
  package var count: Int? {
    guard let number, number >= 0, number <= 0x1p53 else { return nil }
    return Int(exactly: number)
  }

  package var array: [JSONValue]? {
    if case .array(let values) = self { return values }
    return nil
  }

  package var isNull: Bool { self == .null }
}
