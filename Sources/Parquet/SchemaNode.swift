/// A field of the schema: a column, or a group of fields.
package final class SchemaNode: Sendable {
  package let name: String
  /// nil for a group.
  package let type: PhysicalType?
  package let typeLength: Int
  package let logical: LogicalType?
  let repetition: SchemaElement.Repetition
  package let children: [SchemaNode]
  /// The definition level at which the field is there.
  let definition: Int
  /// The repetition level of the innermost repeated field here or above.
  let repetitionLevel: Int
  /// The columns at and below this field, by their index in each row group.
  package let columns: Range<Int>

  package var isOptional: Bool { repetition == .optional }
  package var isRepeated: Bool { repetition == .repeated }

  /// As listings write it, with `?` behind a type whose values may be null and `*` behind one that repeats:
  /// `STRING?`, `INT32 DATE`.
  package var typeName: String {
    guard let type else { return logical?.name ?? "GROUP" }
    let mark = isOptional ? "?" : isRepeated ? "*" : ""
    if logical == .string { return "STRING" + mark }
    return type.name + (logical.map { " " + $0.name } ?? "") + mark
  }

  private static let deepest = 64

  /// Builds the tree of a flat list, whose first element is the root.
  static func tree(_ elements: [SchemaElement]) throws -> SchemaNode {
    var (next, column) = (0, 0)
    let root = try SchemaNode(elements, &next, &column, definition: 0, repetitionLevel: 0, depth: 0)
    if next != elements.count { throw ParquetError("the schema has fields that belong to no group") }
    return root
  }

  private init(
    _ elements: [SchemaElement], _ next: inout Int, _ column: inout Int, definition: Int,
    repetitionLevel: Int, depth: Int
  ) throws {
    guard next < elements.count else { throw ParquetError("the schema lacks fields") }
    if depth > Self.deepest { throw ParquetError("the schema is nested too deep") }
    let element = elements[next]
    next += 1
    let isRoot = depth == 0
    name = element.name
    (type, typeLength, logical) = (element.type, element.typeLength, element.logical)
    repetition = isRoot ? .required : element.repetition
    self.definition = definition + (repetition == .required ? 0 : 1)
    self.repetitionLevel = repetitionLevel + (repetition == .repeated ? 1 : 0)
    let first = column
    var children: [SchemaNode] = []
    if element.type == nil {
      guard element.childCount <= elements.count - next else { throw ParquetError("the schema lacks fields") }
      if element.childCount == 0 && !isRoot { throw ParquetError("a group of the schema has no fields") }
      for _ in 0..<element.childCount {
        children.append(
          try SchemaNode(
            elements, &next, &column, definition: self.definition, repetitionLevel: self.repetitionLevel,
            depth: depth + 1))
      }
    } else {
      column += 1
    }
    self.children = children
    columns = first..<column
  }

  /// The columns at and below this field, each with its path from here.
  package var leaves: [(path: [String], node: SchemaNode)] {
    if type != nil { return [([name], self)] }
    return children.flatMap(\.leaves).map { ([name] + $0.path, $0.node) }
  }
}
