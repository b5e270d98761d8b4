/// A field of the schema of a file that is written: a value, a list or a group, each of which may be null.
final class WrittenField {
  enum Kind {
    case value(InferredType, column: Int)
    case list(WrittenField)
    case record([WrittenField])
  }

  let name: [UInt8]
  let kind: Kind
  /// The definition level at which the field is there.
  let definition: Int
  /// The repetition level of a list's elements.
  let repetition: Int
  let columns: Range<Int>
  private let places: [[UInt8]: Int]

  /// The fields of a row. `leaves` gets the columns.
  static func row(_ fields: [InferredType.Field], _ leaves: inout [WrittenField]) -> WrittenField {
    let children = fields.map { field in
      WrittenField(field.name, field.type, definition: 0, repetition: 0, &leaves)
    }
    return WrittenField([], .record(children), definition: 0, repetition: 0, 0..<leaves.count)
  }

  private init(
    _ name: [UInt8], _ kind: Kind, definition: Int, repetition: Int, _ columns: Range<Int>
  ) {
    (self.name, self.kind, self.definition, self.repetition) = (name, kind, definition, repetition)
    self.columns = columns
    var places: [[UInt8]: Int] = [:]
    if case .record(let children) = kind {
      for (index, child) in children.enumerated() { places[child.name] = index }
    }
    self.places = places
  }

  private convenience init(
    _ name: [UInt8], _ type: InferredType, definition: Int, repetition: Int, _ leaves: inout [WrittenField]
  ) {
    let (first, definition) = (leaves.count, definition + 1)
    switch type {
    case .list(let element):
      let inner = WrittenField(
        Array("element".utf8), element, definition: definition + 1, repetition: repetition + 1, &leaves)
      self.init(
        name, .list(inner), definition: definition, repetition: repetition + 1, first..<leaves.count)
    case .record(let fields):
      let children = fields.map {
        WrittenField($0.name, $0.type, definition: definition, repetition: repetition, &leaves)
      }
      self.init(name, .record(children), definition: definition, repetition: repetition, first..<leaves.count)
    default:
      self.init(
        name, .value(type, column: first), definition: definition, repetition: repetition, first..<(first + 1)
      )
      leaves.append(self)
    }
  }

  /// The place of a record's child by its name; `guess` is the one that comes next, mostly.
  func place(of name: [UInt8], guess: Int, _ children: [WrittenField]) -> Int? {
    guess < children.count && children[guess].name == name ? guess : places[name]
  }

  /// Appends the element of the schema, and those below.
  func write(to writer: inout CompactWriter, isRoot: Bool = false) {
    switch kind {
    case .record(let children):
      writer.element { writer in
        if !isRoot { writer.int32(3, SchemaElement.Repetition.optional.rawValue) }
        writer.binary(4, isRoot ? Array("schema".utf8) : name)
        writer.int32(5, children.count)
      }
      for child in children { child.write(to: &writer) }
    case .list(let element):
      writer.element { writer in
        writer.int32(3, SchemaElement.Repetition.optional.rawValue)
        writer.binary(4, name)
        writer.int32(5, 1)
        writer.int32(6, 3)
        writer.structure(10) { $0.structure(3) { _ in } }
      }
      writer.element { writer in
        writer.int32(3, SchemaElement.Repetition.repeated.rawValue)
        writer.binary(4, Array("list".utf8))
        writer.int32(5, 1)
      }
      element.write(to: &writer)
    case .value(let type, _):
      writer.element { writer in
        writer.int32(1, type.physical.rawValue)
        writer.int32(3, SchemaElement.Repetition.optional.rawValue)
        writer.binary(4, name)
        if type == .string {
          writer.int32(6, 0)
          writer.structure(10) { $0.structure(1) { _ in } }
        } else if type == .json {
          writer.int32(6, 19)
          writer.structure(10) { $0.structure(12) { _ in } }
        }
      }
    }
  }

  var elementCount: Int {
    switch kind {
    case .record(let children): 1 + children.map(\.elementCount).reduce(0, +)
    case .list(let element): 2 + element.elementCount
    case .value: 1
    }
  }

  /// The names from the root down to each column, in order.
  func paths(below path: [[UInt8]] = []) -> [[[UInt8]]] {
    switch kind {
    case .record(let children):
      children.flatMap { $0.paths(below: path + [$0.name]) }
    case .list(let element): element.paths(below: path + [Array("list".utf8), element.name])
    case .value: [path]
    }
  }
}

extension InferredType {
  /// How the values of a column are stored.
  var physical: PhysicalType {
    switch self {
    case .boolean: .boolean
    case .integer, .long: .int64
    case .real: .double
    default: .byteArray
    }
  }
}
