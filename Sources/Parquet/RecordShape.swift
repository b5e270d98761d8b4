import Support

/// How the entries of columns become one JSON value.
///
/// A value of a record is found by the levels of the first column below it: the definition level says how deep it is
/// there, the repetition level at which depth a list continues. All columns below must agree, or the file is damaged.
final class RecordShape {
  enum Kind {
    case value(ValueFormat)
    /// Fields with their names, which are quoted and followed by a colon.
    case record([(name: [UInt8], shape: RecordShape)])
    case optional(RecordShape)
    case list(RecordShape)
    /// A map whose keys are strings: an object.
    case object(key: RecordShape, value: RecordShape)
  }

  let kind: Kind
  /// The columns below, by index.
  let columns: Range<Int>
  /// From this definition level on, the optional value or an element of the list is there.
  let definition: Int
  /// The level at which a list repeats.
  let repetition: Int

  private init(_ kind: Kind, _ node: SchemaNode) {
    (self.kind, columns, definition, repetition) = (kind, node.columns, node.definition, node.repetitionLevel)
  }

  /// The shape of a field.
  static func shape(of node: SchemaNode) throws -> RecordShape {
    let inner = try plainShape(of: node)
    switch node.repetition {
    case .required: return inner
    case .optional: return RecordShape(.optional(inner), node)
    case .repeated: return RecordShape(.list(inner), node)
    }
  }

  /// The shape of a field as if it were there once.
  private static func plainShape(of node: SchemaNode) throws -> RecordShape {
    if node.type != nil { return RecordShape(.value(try ValueFormat(of: node)), node) }
    if let list = try annotated(node) { return list }
    return RecordShape(
      .record(try node.children.map { child in (name(of: child), try shape(of: child)) }), node)
  }

  static func name(of node: SchemaNode) -> [UInt8] {
    var name: [UInt8] = []
    var text = node.name
    text.withUTF8 { JSONText.quote(UnsafeRawBufferPointer($0), into: &name) }
    return name + [UInt8(ascii: ":")]
  }

  /// A group that is annotated as a list or as a map, with the one repeated field that it must have.
  private static func annotated(_ node: SchemaNode) throws -> RecordShape? {
    guard node.logical == .list || node.logical == .map, node.children.count == 1,
      let middle = node.children.first,
      middle.isRepeated
    else { return nil }
    if node.logical == .map, middle.children.count == 2 {
      let (key, value) = (middle.children[0], middle.children[1])
      if key.type == .byteArray, key.repetition == .required, case .string = try ValueFormat(of: key) {
        return RecordShape(.object(key: try shape(of: key), value: try shape(of: value)), middle)
      }
    }
    // The rules for the forms of older writers are those of the format's document of logical types.
    let isElement =
      node.logical == .map || middle.type != nil || middle.children.count != 1
      || middle.children[0].isRepeated
      || middle.name == "array" || middle.name == node.name + "_tuple"
    return RecordShape(
      .list(isElement ? try plainShape(of: middle) : try shape(of: middle.children[0])), middle)
  }
}
