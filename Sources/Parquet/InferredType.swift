/// The type of a column that holds all values seen so far.
///
/// Whole numbers are INT64, all others DOUBLE; a column with both is DOUBLE unless a whole number is too large to be exact.
/// Texts are strings, lists lists and objects groups, whose fields may each be missing. Where values of other kinds meet,
/// or a number is exact in none of these types, the column holds each value as JSON.
indirect enum InferredType: Equatable, Sendable {
  /// Nothing but null.
  case unknown
  case boolean
  /// Whole numbers that are exact as floating-point numbers.
  case integer
  /// Whole numbers, some of which are not.
  case long
  case real
  case string
  case json
  case list(InferredType)
  case record([Field])

  struct Field: Equatable, Sendable {
    let name: [UInt8]
    var type: InferredType
  }

  /// An object with more fields is a table of its own: as JSON it stays one column.
  private static let mostFields = 500
  private static let deepest = 12

  /// The type of a value on a tape; it moves behind it.
  static func type(of tape: JSONTape, _ index: Int, _ bytes: UnsafeRawBufferPointer, depth: Int = 0)
    -> InferredType
  {
    let entry = tape.entries[index]
    switch entry.kind {
    case .null: return .unknown
    case .boolean: return .boolean
    case .string, .key: return .string
    case .number: return number(UnsafeRawBufferPointer(rebasing: bytes[entry.text]))
    case .list:
      if depth == deepest { return .json }
      var (type, at) = (InferredType.unknown, index + 1)
      while at < entry.next {
        type = type.merged(with: Self.type(of: tape, at, bytes, depth: depth + 1))
        at = tape.entries[at].next
      }
      return .list(type)
    case .record:
      if depth == deepest { return .json }
      var (fields, at) = ([Field](), index + 1)
      while at < entry.next {
        var name: [UInt8] = []
        JSONTape.append(tape.entries[at], of: bytes, to: &name)
        let type = Self.type(of: tape, at + 1, bytes, depth: depth + 1)
        at = tape.entries[at + 1].next
        if depth == 0 {
          // Of a name that a row has twice, the first counts.
          if !fields.contains(where: { $0.name == name }) { fields.append(Field(name: name, type: type)) }
        } else {
          if fields.count == mostFields || fields.contains(where: { $0.name == name }) { return .json }
          fields.append(Field(name: name, type: type))
        }
      }
      return .record(fields)
    }
  }

  private static func number(_ text: UnsafeRawBufferPointer) -> InferredType {
    let word = String(decoding: text, as: UTF8.self)
    if let whole = Int64(word), word != "-0", whole != .min {
      return abs(whole) <= 1 << 53 ? .integer : .long
    }
    if ["NaN", "Infinity", "-Infinity"].contains(word) { return .real }
    // Digits beyond those of a floating-point number would be lost.
    let digits = word.prefix { !"eE".contains($0) }.filter { $0.isNumber }.drop { $0 == "0" }
    guard digits.count <= 17, let value = Double(word), value.isFinite else { return .json }
    return .real
  }

  func merged(with other: InferredType) -> InferredType {
    if self == other { return self }
    switch (self, other) {
    case (.unknown, let type), (let type, .unknown): return type
    case (.integer, .long), (.long, .integer): return .long
    case (.integer, .real), (.real, .integer): return .real
    case (.list(let one), .list(let other)): return .list(one.merged(with: other))
    case (.record(var fields), .record(let others)):
      for (index, other) in others.enumerated() {
        // Rows have their fields in the same order, mostly.
        let isSame = index < fields.count && fields[index].name == other.name
        if let place = isSame ? index : fields.firstIndex(where: { $0.name == other.name }) {
          fields[place].type = fields[place].type.merged(with: other.type)
        } else {
          fields.append(other)
        }
      }
      return .record(fields)
    default: return .json
    }
  }

  /// The same with a type for everything: what is always null is a string, and an object that is always empty, or has
  /// too many fields, JSON.
  func settled(depth: Int = 0) -> InferredType {
    switch self {
    case .unknown: return .string
    case .list(let element): return .list(element.settled(depth: depth + 1))
    case .record(let fields):
      if depth > 0 && (fields.isEmpty || fields.count > Self.mostFields) { return .json }
      return .record(fields.map { Field(name: $0.name, type: $0.type.settled(depth: depth + 1)) })
    default: return self
    }
  }
}
