/// What the values of a column, or the fields of a group, mean.
package enum LogicalType: Sendable, Equatable {
  package enum Unit: Int, Sendable {
    case milliseconds = 3
    case microseconds = 6
    case nanoseconds = 9
    /// The digits of a second's fraction.
    var digits: Int { rawValue }
  }

  case string, `enum`, json, bson, uuid, float16, interval, null
  case map, list
  case decimal(scale: Int)
  case date
  case time(Unit)
  case timestamp(Unit, isUTC: Bool)
  case integer(isSigned: Bool)

  /// The type that an older writer states.
  init?(converted: Int, scale: Int) {
    switch converted {
    case 0: self = .string
    case 1, 2: self = .map
    case 3: self = .list
    case 4: self = .enum
    case 5: self = .decimal(scale: scale)
    case 6: self = .date
    case 7: self = .time(.milliseconds)
    case 8: self = .time(.microseconds)
    case 9: self = .timestamp(.milliseconds, isUTC: true)
    case 10: self = .timestamp(.microseconds, isUTC: true)
    case 11...14: self = .integer(isSigned: false)
    case 15...18: self = .integer(isSigned: true)
    case 19: self = .json
    case 20: self = .bson
    case 21: self = .interval
    default: return nil
    }
  }

  /// Reads the union of the metadata; nil for a type that is not known, whose values are read as they are stored.
  static func read(_ reader: inout CompactReader) throws -> LogicalType? {
    var type: LogicalType?
    try reader.structure { reader, field in
      switch field.id {
      case 1: type = .string
      case 2: type = .map
      case 3: type = .list
      case 4: type = .enum
      case 5:
        var scale = 0
        try reader.structure { reader, field in
          if field.id == 1 && field.type == CompactReader.int32 {
            scale = try reader.int()
          } else {
            return false
          }
          return true
        }
        type = .decimal(scale: scale)
        return true
      case 6: type = .date
      case 7, 8:
        let (unit, isUTC) = try readTime(&reader)
        type = unit.map { field.id == 7 ? .time($0) : .timestamp($0, isUTC: isUTC) }
        return true
      case 10:
        var isSigned = true
        try reader.structure { _, field in
          if field.id == 2 { isSigned = field.bool }
          return false
        }
        type = .integer(isSigned: isSigned)
        return true
      case 11: type = .null
      case 12: type = .json
      case 13: type = .bson
      case 14: type = .uuid
      case 15: type = .float16
      default: break
      }
      return false
    }
    return type
  }

  private static func readTime(_ reader: inout CompactReader) throws -> (Unit?, isUTC: Bool) {
    var (unit, isUTC) = (Unit?.none, false)
    try reader.structure { reader, field in
      if field.id == 1 { isUTC = field.bool }
      guard field.id == 2, field.type == CompactReader.structType else { return false }
      try reader.structure { _, field in
        unit = [1: .milliseconds, 2: .microseconds, 3: .nanoseconds][field.id]
        return false
      }
      return true
    }
    return (unit, isUTC)
  }

  /// As messages and listings write it.
  package var name: String {
    switch self {
    case .string: "STRING"
    case .enum: "ENUM"
    case .json: "JSON"
    case .bson: "BSON"
    case .uuid: "UUID"
    case .float16: "FLOAT16"
    case .interval: "INTERVAL"
    case .null: "NULL"
    case .map: "MAP"
    case .list: "LIST"
    case .decimal(let scale): "DECIMAL(scale \(scale))"
    case .date: "DATE"
    case .time(let unit): "TIME(\(unit))"
    case .timestamp(let unit, let isUTC): "TIMESTAMP(\(unit)\(isUTC ? ", UTC" : ""))"
    case .integer(let isSigned): isSigned ? "INTEGER" : "UNSIGNED INTEGER"
    }
  }
}
