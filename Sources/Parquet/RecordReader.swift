import Foundation
import Support

/// Reads the rows of a file as JSON objects, one a line, group after group.
///
/// The columns of a row group are read side by side, a page of each at a time: memory holds one page and one dictionary
/// for every column that is read.
package final class RecordReader {
  private let file: ParquetFile
  private let fields: [(name: [UInt8], shape: RecordShape)]
  private let leaves: [SchemaNode]
  private let isRead: [Bool]
  /// What is added to every object: members, each after a comma.
  private let suffix: [UInt8]
  private var cursors: [ColumnCursor?] = []
  private var group = -1
  /// The rows of the current group that are still to come.
  private var rowsLeft = 0
  /// The rows that have been passed: read, or lost to damage.
  package private(set) var rowsPassed = 0

  /// The rows of a group that damage has made unreadable.
  package struct Loss: Sendable {
    package let error: ParquetError
    /// From 0.
    package let rowGroup: Int
    package let rows: Int
  }

  /// `isSelected` says which fields of the schema's root are read; nil means all. `members` are added to each object.
  package init(
    _ file: ParquetFile, members: [(name: String, value: String?)] = [], isSelected: ((String) -> Bool)? = nil
  ) throws {
    self.file = file
    leaves = file.metadata.schema.leaves.map(\.node)
    let chosen = file.metadata.schema.children.filter { isSelected?($0.name) ?? true }
    // Rows without columns could be any number, and cost nothing to claim.
    if chosen.isEmpty && file.metadata.rowCount > 0 { throw ParquetError("there is no column to read") }
    fields = try chosen.map { (RecordShape.name(of: $0), try RecordShape.shape(of: $0)) }
    var isRead = [Bool](repeating: false, count: leaves.count)
    for node in chosen { for column in node.columns { isRead[column] = true } }
    self.isRead = isRead
    let names = Set(file.metadata.schema.children.map(\.name))
    suffix = members.filter { !names.contains($0.name) }.flatMap { member in
      Array(",\(JSONText.quote(member.name)):\(member.value.map { JSONText.quote($0) } ?? "null")".utf8)
    }
  }

  package var isAtEnd: Bool { rowsLeft == 0 && group + 1 >= file.metadata.rowGroups.count }

  /// Appends rows until there are `size` bytes, or all rows were read.
  ///
  /// What is damaged costs the rest of its row group: the rows before it are appended, the loss is returned, and the
  /// next call goes on behind it.
  package func append(to out: inout [UInt8], size: Int) throws -> Loss? {
    while out.count < size {
      if rowsLeft == 0 {
        if isAtEnd { return nil }
        group += 1
        rowsLeft = file.metadata.rowGroups[group].rowCount
        if rowsLeft == 0 { continue }
        do { try beginGroup() } catch let error as ParquetError { return lose(error) }
      }
      let start = out.count
      do {
        try appendRow(to: &out)
      } catch let error as ParquetError {
        out.removeLast(out.count - start)
        return lose(error)
      }
      rowsLeft -= 1
      rowsPassed += 1
      if rowsLeft == 0, let error = endGroup() { return lose(error) }
    }
    return nil
  }

  private func lose(_ error: ParquetError) -> Loss {
    defer {
      rowsPassed += rowsLeft
      rowsLeft = 0
      cursors = []
    }
    return Loss(error: error, rowGroup: group, rows: rowsLeft)
  }

  private func beginGroup() throws {
    cursors = try zip(leaves, file.metadata.rowGroups[group].columns).enumerated().map { index, column in
      isRead[index] ? try ColumnCursor(file, column.1, node: column.0) : nil
    }
    for case .some(let cursor) in cursors { try advance(cursor) }
  }

  /// Entries behind the last row: there are other numbers of rows in the columns.
  private func endGroup() -> ParquetError? {
    let hasMore = cursors.contains { $0.map { !$0.isAtEnd } ?? false }
    cursors = []
    return hasMore ? ParquetError("a column has more rows than its row group") : nil
  }

  @inline(__always) private func advance(_ cursor: ColumnCursor) throws {
    do { try cursor.advance() } catch let error as ParquetError { throw error.at(cursor.pageOffset) }
  }

  private func appendRow(to out: inout [UInt8]) throws {
    out.append(UInt8(ascii: "{"))
    var isFirst = true
    for (name, shape) in fields {
      if !isFirst { out.append(UInt8(ascii: ",")) }
      isFirst = false
      out.append(contentsOf: name)
      // A row begins at level 0 in every column.
      for column in shape.columns where cursors[column]!.repetition != 0 {
        throw ParquetError("the columns of a row disagree about its lists").at(cursors[column]!.pageOffset)
      }
      try append(shape, to: &out)
    }
    out.append(contentsOf: isFirst ? suffix.dropFirst() : suffix[...])
    out.append(UInt8(ascii: "}"))
    out.append(UInt8(ascii: "\n"))
  }

  private func append(_ shape: RecordShape, to out: inout [UInt8]) throws {
    let first = cursors[shape.columns.lowerBound]!
    switch shape.kind {
    case .value(let format):
      guard !first.isAtEnd, first.definition == first.node.definition else {
        throw ParquetError("a value that must be there is missing").at(first.pageOffset)
      }
      do { try format.append(first, to: &out) } catch let error as ParquetError {
        throw error.at(first.pageOffset)
      }
      try advance(first)
    case .optional(let inner):
      if first.definition >= shape.definition { return try append(inner, to: &out) }
      out.append(contentsOf: "null".utf8)
      try skip(shape)
    case .record(let fields):
      out.append(UInt8(ascii: "{"))
      for (index, field) in fields.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        out.append(contentsOf: field.name)
        try append(field.shape, to: &out)
      }
      out.append(UInt8(ascii: "}"))
    case .list(let element):
      out.append(UInt8(ascii: "["))
      if first.definition < shape.definition {
        try skip(shape)
      } else {
        try append(element, to: &out)
        while try continues(shape, first) {
          out.append(UInt8(ascii: ","))
          try append(element, to: &out)
        }
      }
      out.append(UInt8(ascii: "]"))
    case .object(let key, let value):
      out.append(UInt8(ascii: "{"))
      if first.definition < shape.definition {
        try skip(shape)
      } else {
        repeat {
          try append(key, to: &out)
          out.append(UInt8(ascii: ":"))
          try append(value, to: &out)
          guard try continues(shape, first) else { break }
          out.append(UInt8(ascii: ","))
        } while true
      }
      out.append(UInt8(ascii: "}"))
    }
  }

  /// Whether another element of the list follows, in all of its columns.
  private func continues(_ shape: RecordShape, _ first: ColumnCursor) throws -> Bool {
    let repeats = !first.isAtEnd && first.repetition == shape.repetition
    for column in shape.columns.dropFirst() {
      let cursor = cursors[column]!
      if (!cursor.isAtEnd && cursor.repetition == shape.repetition) != repeats {
        throw ParquetError("the columns of a list have other numbers of elements").at(cursor.pageOffset)
      }
    }
    return repeats
  }

  /// Passes the one entry that stands for something that is not there, in all of its columns.
  private func skip(_ shape: RecordShape) throws {
    for column in shape.columns {
      let cursor = cursors[column]!
      guard !cursor.isAtEnd, cursor.definition < shape.definition else {
        throw ParquetError("the columns of a group disagree about what is there").at(cursor.pageOffset)
      }
      try advance(cursor)
    }
  }
}
