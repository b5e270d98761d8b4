/// What the footer of a file says.
package struct FileMetadata: Sendable {
  package let schema: SchemaNode
  package let rowCount: Int
  package let rowGroups: [RowGroup]
  package let createdBy: String?

  /// Reads the footer, which ends before `end`, the offset in the file behind which no page may lie.
  init(_ bytes: UnsafeRawBufferPointer, end: Int) throws {
    var reader = CompactReader(bytes)
    var elements: [SchemaElement] = []
    var (rows, groups, creator) = (Int?.none, [RowGroup]?.none, String?.none)
    do {
      try reader.structure { reader, field in
        switch (field.id, field.type) {
        case (2, 9): try reader.list(of: 12) { elements.append(try SchemaElement(&$0)) }
        case (3, 6): rows = try reader.count("the number of rows")
        case (4, 9):
          var found: [RowGroup] = []
          try reader.list(of: 12) { found.append(try RowGroup(&$0)) }
          groups = found
        case (6, 8): creator = try reader.string()
        case (8, _): throw ParquetError.unsupported("encryption")
        default: return false
        }
        return true
      }
    } catch is CompactReader.Truncated {
      throw ParquetError("the footer is cut")
    }
    guard rows != nil, let groups, !elements.isEmpty else { throw ParquetError("the footer lacks fields") }
    schema = try SchemaNode.tree(elements)
    (rowGroups, createdBy) = (groups, creator)
    var sum = 0
    for group in groups {
      let (total, overflows) = sum.addingReportingOverflow(group.rowCount)
      if overflows { throw ParquetError("the row groups have too many rows") }
      sum = total
      guard group.columns.count == schema.columns.count else {
        throw ParquetError(
          "a row group has \(group.columns.count) columns, and the schema \(schema.columns.count)")
      }
      for chunk in group.columns { try chunk.check(end: end) }
    }
    // Some writers leave the number of all rows at 0: what counts is that of each row group.
    rowCount = sum
    for (leaf, index) in zip(schema.leaves, 0...) {
      for group in groups where group.columns[index].type != leaf.node.type {
        throw ParquetError("a column has another type than its field of the schema")
      }
    }
  }
}

/// Rows whose columns lie together.
package struct RowGroup: Sendable {
  package private(set) var columns: [ColumnChunk] = []
  package private(set) var rowCount = 0

  init(_ reader: inout CompactReader) throws {
    var hasRows = false
    try reader.structure { reader, field in
      switch (field.id, field.type) {
      case (1, 9): try reader.list(of: 12) { columns.append(try ColumnChunk(&$0)) }
      case (3, 6):
        rowCount = try reader.count("the number of a row group's rows")
        hasRows = true
      default: return false
      }
      return true
    }
    if !hasRows { throw ParquetError("a row group lacks its number of rows") }
  }
}

/// The pages of one column in one row group.
package struct ColumnChunk: Sendable {
  package private(set) var type = PhysicalType.boolean
  package private(set) var encodings: [Int] = []
  package private(set) var codec = 0
  package private(set) var valueCount = 0
  package private(set) var compressedSize = 0
  package private(set) var uncompressedSize = 0
  private var dataOffset = 0
  private var dictionaryOffset: Int?
  private var isElsewhere = false

  /// Where the pages lie in the file, the dictionary first. Empty where there are no values.
  var pages: Range<Int> {
    if valueCount == 0 { return 0..<0 }
    return start..<(start + compressedSize)
  }

  private var start: Int {
    if let dictionaryOffset, dictionaryOffset > 0 { return min(dictionaryOffset, dataOffset) }
    return dataOffset
  }

  init(_ reader: inout CompactReader) throws {
    var hasMetadata = false
    try reader.structure { reader, field in
      switch (field.id, field.type) {
      case (1, 8): isElsewhere = try !reader.binary().isEmpty
      case (3, 12):
        try readMetadata(&reader)
        hasMetadata = true
      case (8, _): throw ParquetError.unsupported("encryption")
      default: return false
      }
      return true
    }
    if !hasMetadata { throw ParquetError("a column lacks its metadata") }
    if isElsewhere { throw ParquetError.unsupported("a column in another file") }
  }

  private mutating func readMetadata(_ reader: inout CompactReader) throws {
    var seen = Set<Int>()
    try reader.structure { reader, field in
      seen.insert(field.id)
      switch (field.id, field.type) {
      case (1, 5):
        let raw = try reader.int()
        guard let value = PhysicalType(rawValue: raw) else {
          throw ParquetError("a column has the type \(raw)")
        }
        type = value
      case (2, 9): try reader.list(of: 5) { encodings.append(try $0.int()) }
      case (4, 5): codec = try reader.int()
      case (5, 6): valueCount = try reader.count("the number of a column's values")
      case (6, 6): uncompressedSize = try reader.count("the size of a column")
      case (7, 6): compressedSize = try reader.count("the size of a column")
      case (9, 6): dataOffset = try reader.count("the offset of a column")
      case (11, 6): dictionaryOffset = try reader.count("the offset of a dictionary")
      default: return false
      }
      return true
    }
    if !seen.isSuperset(of: [1, 4, 5, 7, 9]) { throw ParquetError("the metadata of a column lack fields") }
  }

  fileprivate func check(end: Int) throws {
    if valueCount == 0 { return }
    guard start >= 4, start <= end, compressedSize <= end - start else {
      throw ParquetError("a column lies outside of the file", offset: start)
    }
  }
}
