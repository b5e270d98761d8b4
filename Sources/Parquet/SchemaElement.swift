/// One entry of the flat list that a file's schema is stored as.
struct SchemaElement {
  enum Repetition: Int { case required, optional, repeated }

  var type: PhysicalType?
  var typeLength = 0
  var repetition = Repetition.required
  var name = ""
  var childCount = 0
  var logical: LogicalType?

  init(_ reader: inout CompactReader) throws {
    var (converted, scale) = (Int?.none, 0)
    var isGroup = false
    var unknownType: Int?
    try reader.structure { reader, field in
      switch (field.id, field.type) {
      case (1, 5):
        let raw = try reader.int()
        type = PhysicalType(rawValue: raw)
        if type == nil { unknownType = raw }
      case (2, 5): typeLength = try reader.count("the length of a type")
      case (3, 5):
        let raw = try reader.int()
        guard let value = Repetition(rawValue: raw) else {
          throw ParquetError("the schema's repetition is \(raw)")
        }
        repetition = value
      case (4, 8): name = try reader.string()
      case (5, 5):
        childCount = try reader.count("the number of a group's fields")
        isGroup = true
      case (6, 5): converted = try reader.int()
      case (7, 5): scale = try reader.int()
      case (10, 12): logical = try LogicalType.read(&reader)
      default: return false
      }
      return true
    }
    if let unknownType { throw ParquetError("the schema has the unknown type \(unknownType)") }
    if logical == nil, let converted { logical = LogicalType(converted: converted, scale: scale) }
    if type == nil && !isGroup { throw ParquetError("a field of the schema has no type") }
    if type != nil && isGroup && childCount > 0 { throw ParquetError("a group of the schema has a type") }
    if type == .fixedLengthByteArray && !(0...(1 << 28)).contains(typeLength) {
      throw ParquetError("a field's values have \(typeLength) bytes")
    }
  }
}
