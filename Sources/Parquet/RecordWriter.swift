import Foundation

/// Writes JSON objects as the rows of a Parquet file: ZSTD pages with checksums, dictionaries of texts where they pay,
/// statistics, and the types of ``InferredType``.
///
/// The types are those of all objects. Where a later row group needs other types than those before it, a new part begins;
/// ``finish()`` tells, and the parts are read again and written as one.
package final class RecordWriter {
  private let write: ([UInt8]) throws -> Void
  private let creator: String
  private let threads: Int
  private let level: Int32
  private var offset = 0
  private var lines: [UInt8] = []
  private var groupRows = 0
  private var rows = 0
  private var groups: [[UInt8]] = []
  /// The type of all rows so far.
  package private(set) var schema: Schema
  private var root: WrittenField?
  private var leaves: [WrittenField] = []
  private var tape = JSONTape()

  /// The types of a file's columns.
  package struct Schema: Equatable, Sendable {
    var type = InferredType.record([])
    /// What is written.
    var settled: InferredType { type.settled() }

    package init() {}
  }

  /// So many bytes of JSON make a row group.
  package static let groupBytes = 64 << 20
  private static let groupRowLimit = 1 << 20

  private let groupSize: Int
  private let isFixed: Bool

  /// `schema` holds the types that the file has at least, or with `isFixed` those that hold all rows. `creator` is what the
  /// file says about its writer.
  package init(
    schema: Schema = Schema(), isFixed: Bool = false, creator: String, threads: Int = 1, level: Int = 3,
    groupSize: Int = groupBytes,
    write: @escaping ([UInt8]) throws -> Void
  ) throws {
    (self.schema, self.creator, self.threads, self.level) = (schema, creator, threads, Int32(level))
    (self.groupSize, self.write, self.isFixed) = (groupSize, write, isFixed)
    try emit(ParquetFile.magic)
  }

  /// Whether the row group that is full needs other types than those written before it.
  package enum Step { case going, otherTypes }

  /// Adds whole lines of JSON objects. Returns `otherTypes` if what has been written must end as a part of its own: then
  /// call ``endPart()``, and give what ``takePending()`` returns to a new writer with the same schema.
  package func add(_ bytes: UnsafeRawBufferPointer) throws -> Step {
    var start = 0
    while start < bytes.count {
      let feed = memchr(bytes.baseAddress! + start, 0x0a, bytes.count - start)
      let end = feed.map { UnsafeRawPointer($0) - bytes.baseAddress! } ?? bytes.count
      let line = start..<end
      start = end + 1
      if line.isEmpty { continue }
      guard tape.read(bytes, line), tape.entries[0].kind == .record else {
        throw ParquetError("row \(rows + groupRows + 1) is no JSON object")
      }
      if !isFixed { pendingType = pendingType.merged(with: InferredType.type(of: tape, 0, bytes)) }
      lines.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[line]))
      lines.append(0x0a)
      groupRows += 1
      if lines.count >= groupSize || groupRows == Self.groupRowLimit {
        if case .otherTypes = try flush() {
          if start < bytes.count { rest += bytes[start...] }
          return .otherTypes
        }
      }
    }
    return .going
  }

  private var pendingType = InferredType.unknown
  private var rest: [UInt8] = []

  /// Writes the rows that have been collected as a row group.
  private func flush() throws -> Step {
    if groupRows == 0 { return .going }
    let merged = isFixed ? schema.type : schema.type.merged(with: pendingType)
    if root != nil && merged.settled() != schema.settled {
      schema.type = merged
      return .otherTypes
    }
    schema.type = merged
    try writeGroup()
    return .going
  }

  private func begin() {
    guard root == nil, case .record(let fields) = schema.settled else { return }
    leaves = []
    root = WrittenField.row(fields, &leaves)
  }

  /// The lines that did not fit the types, and those behind them.
  package func takePending() -> [UInt8] {
    defer { (lines, rest, groupRows, pendingType) = ([], [], 0, .unknown) }
    return lines + rest
  }

  /// Writes all that is left and the footer; or returns `otherTypes` as ``add(_:)`` does.
  package func finish() throws -> Step {
    if case .otherTypes = try flush() { return .otherTypes }
    try endPart()
    return .going
  }

  /// Writes the footer.
  package func endPart() throws {
    begin()
    let footer = footer()
    try emit(footer)
    try emit(withUnsafeBytes(of: UInt32(footer.count).littleEndian) { Array($0) } + ParquetFile.magic)
  }

  /// The size of the file so far.
  package var size: Int { offset }

  private func emit(_ bytes: [UInt8]) throws {
    try write(bytes)
    offset += bytes.count
  }

  // MARK: Row groups

  private func writeGroup() throws {
    begin()
    var columns = leaves.map { ColumnBuffer($0) }
    lines.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let end =
          UnsafeRawPointer(memchr(bytes.baseAddress! + start, 0x0a, bytes.count - start)!) - bytes
          .baseAddress!
        _ = tape.read(bytes, start..<end)
        shred(root!, 0, bytes, repetition: 0, definition: 0, &columns)
        start = end + 1
      }
    }
    lines.removeAll(keepingCapacity: true)
    var pages = columns.map { $0.pages() }
    compress(&pages)
    let (first, rowCount) = (offset, groupRows)
    let paths = root!.paths()
    var writer = CompactWriter()
    var sizes: [(start: Int, dictionary: Int?, data: Int, stored: Int, plain: Int)] = []
    for pages in pages {
      let start = offset
      var data = offset
      for page in pages {
        if page.isDictionary { data += page.bytes.count }
        try emit(page.bytes)
      }
      let hasDictionary = pages.first?.isDictionary ?? false
      sizes.append(
        (start, hasDictionary ? start : nil, data, offset - start, pages.map(\.plainSize).reduce(0, +)))
    }
    let stored = offset - first
    writer.element { writer in
      writer.list(1, of: CompactReader.structType, count: columns.count)
      for (index, column) in columns.enumerated() {
        let size = sizes[index]
        writer.element { writer in
          writer.int64(2, size.start)
          writer.structure(3) { writer in
            guard case .value(let type, _) = column.field.kind else { return }
            writer.int32(1, type.physical.rawValue)
            let encodings: [PageEncoding] =
              size.dictionary == nil ? [.plain, .rle] : [.plain, .rle, .rleDictionary]
            writer.list(2, of: CompactReader.int32, count: encodings.count)
            for encoding in encodings { writer.element(encoding.rawValue) }
            writer.list(3, of: CompactReader.binaryType, count: paths[index].count)
            for name in paths[index] { writer.element(name) }
            writer.int32(4, Codec.zstd.rawValue)
            writer.int64(5, column.entryCount)
            writer.int64(6, size.plain)
            writer.int64(7, size.stored)
            writer.int64(9, size.data)
            if let dictionary = size.dictionary { writer.int64(11, dictionary) }
            writer.structure(12) { column.writeStatistics(to: &$0) }
          }
        }
      }
      writer.int64(2, sizes.map(\.plain).reduce(0, +))
      writer.int64(3, rowCount)
      writer.int64(5, first)
      writer.int64(6, stored)
    }
    groups.append(writer.bytes)
    rows += groupRows
    groupRows = 0
    pendingType = .unknown
  }

  private func compress(_ pages: inout [[ColumnBuffer.Page]]) {
    let places = pages.indices.flatMap { column in pages[column].indices.map { (column, $0) } }
    let level = level
    if threads <= 1 {
      for (column, page) in places { pages[column][page].finish(level: level) }
      return
    }
    var flat = places.map { pages[$0.0][$0.1] }
    flat.withUnsafeMutableBufferPointer { flat in
      nonisolated(unsafe) let flat = flat
      DispatchQueue.concurrentPerform(iterations: flat.count) { flat[$0].finish(level: level) }
    }
    for (page, place) in zip(flat, places) { pages[place.0][place.1] = page }
  }

  /// Appends a value of a tape to the columns of its field; nil for null or nothing. `definition` is the level of what is
  /// there above.
  private func shred(
    _ field: WrittenField, _ index: Int?, _ bytes: UnsafeRawBufferPointer, repetition: Int, definition: Int,
    _ columns: inout [ColumnBuffer]
  ) {
    guard let index, tape.entries[index].kind != .null else {
      for column in field.columns { columns[column].appendNothing(repetition, definition) }
      return
    }
    let entry = tape.entries[index]
    switch field.kind {
    case .value(_, let column): columns[column].append(entry, of: bytes, repetition)
    case .list(let element):
      if entry.next == index + 1 {
        for column in field.columns { columns[column].appendNothing(repetition, field.definition) }
        return
      }
      var at = index + 1
      while at < entry.next {
        shred(
          element, at, bytes, repetition: at == index + 1 ? repetition : field.repetition,
          definition: field.definition + 1, &columns)
        at = tape.entries[at].next
      }
    case .record(let children):
      var found = [Int?](repeating: nil, count: children.count)
      var (at, guess) = (index + 1, 0)
      var name: [UInt8] = []
      while at < entry.next {
        name.removeAll(keepingCapacity: true)
        JSONTape.append(tape.entries[at], of: bytes, to: &name)
        if let place = field.place(of: name, guess: guess, children), found[place] == nil {
          found[place] = at + 1
        }
        guess += 1
        at = tape.entries[at + 1].next
      }
      for (child, at) in zip(children, found) {
        shred(child, at, bytes, repetition: repetition, definition: field.definition, &columns)
      }
    }
  }

  // MARK: Footer

  private func footer() -> [UInt8] {
    var writer = CompactWriter()
    let (root, rows, groups, creator, leafCount) = (root!, rows, groups, creator, leaves.count)
    writer.element { writer in
      writer.int32(1, 2)
      writer.list(2, of: CompactReader.structType, count: root.elementCount)
      root.write(to: &writer, isRoot: true)
      writer.int64(3, rows)
      writer.list(4, of: CompactReader.structType, count: groups.count)
      for group in groups { writer.raw(group) }
      writer.binary(6, Array(creator.utf8))
      // The order of values is that of their types.
      writer.list(7, of: CompactReader.structType, count: leafCount)
      for _ in 0..<leafCount { writer.element { $0.structure(1) { _ in } } }
    }
    return writer.bytes
  }
}
