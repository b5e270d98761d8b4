import Foundation
import Parquet
import Support

/// A file of rendered documents, which appears under its name when ``finish()`` returns: text, JSON lines or, if its name
/// ends in `.parquet`, the rows of a Parquet file.
package final class DocumentFile {
  private let plain: OutputFile?
  private let table: TableFile?

  package init(_ sink: OutputSink, compressionThreads: Int = 1) throws {
    if sink.isParquet, let path = sink.name {
      (plain, table) = (nil, try TableFile(path, threads: compressionThreads))
    } else {
      (plain, table) = (try OutputFile(sink, compressionThreads: compressionThreads), nil)
    }
  }

  /// Bytes written so far, before compression.
  package var bytesWritten: Int { plain?.bytesWritten ?? table!.bytesWritten }

  /// Whole documents; JSON lines for a Parquet file.
  package func write(_ bytes: [UInt8]) throws {
    if let plain { try plain.write(bytes) } else { try table!.write(bytes) }
  }

  package func finish() throws {
    if let plain { try plain.finish() } else { try table!.finish() }
  }
}

/// Writes JSON lines as a Parquet file.
///
/// Its columns have one type each, and what comes later may not fit the types of what came before. Then a part ends and the
/// next begins with wider types; at the end the parts are read again and written as one file.
final class TableFile {
  private let path: String
  private let threads: Int
  private let groupSize: Int
  private var file: OutputFile
  private var writer: RecordWriter
  private var parts: [Part] = []
  private(set) var bytesWritten = 0

  /// A part that has lost its name, and is readable until it is closed.
  private final class Part {
    let descriptor: Int32
    let size: Int

    init(_ descriptor: Int32, size: Int) { (self.descriptor, self.size) = (descriptor, size) }

    deinit { close(descriptor) }
  }

  init(_ path: String, threads: Int, groupSize: Int = RecordWriter.groupBytes) throws {
    (self.path, self.threads, self.groupSize) = (path, threads, groupSize)
    (file, writer) = try Self.begin(path, RecordWriter.Schema(), isFixed: false, threads, groupSize)
  }

  private static func begin(
    _ path: String, _ schema: RecordWriter.Schema, isFixed: Bool, _ threads: Int, _ groupSize: Int
  ) throws -> (OutputFile, RecordWriter) {
    let file = try OutputFile(path)
    let writer = try RecordWriter(
      schema: schema, isFixed: isFixed, creator: "pkm-data", threads: threads, groupSize: groupSize
    ) { try file.write($0) }
    return (file, writer)
  }

  func write(_ lines: [UInt8]) throws {
    bytesWritten += lines.count
    try add(lines)
  }

  private func add(_ lines: [UInt8]) throws {
    var lines = lines
    while case .otherTypes = try located({ try lines.withUnsafeBytes { try writer.add($0) } }) {
      lines = writer.takePending()
      try endPart(isFixed: false)
    }
  }

  func finish() throws {
    while case .otherTypes = try located({ try writer.finish() }) {
      let lines = writer.takePending()
      try endPart(isFixed: false)
      try add(lines)
    }
    if !parts.isEmpty { try join() }
    try file.finish()
  }

  /// Makes what has been written a part, and begins anew.
  private func endPart(isFixed: Bool) throws {
    if !isFixed { try writer.endPart() }
    parts.append(Part(try file.openWritten(), size: writer.size))
    file.discard()
    (file, writer) = try Self.begin(path, writer.schema, isFixed: isFixed, threads, groupSize)
  }

  /// Writes the rows of all parts as one file with the types that hold them all.
  private func join() throws {
    try endPart(isFixed: true)
    for part in parts {
      let table = try located {
        try ParquetFile(size: part.size) { [path] in
          try SystemCall.read(part.descriptor, at: $0, into: $1, path: path)
        }
      }
      let records = try located { try RecordReader(table) }
      var lines: [UInt8] = []
      while !records.isAtEnd {
        try Interruption.check()
        lines.removeAll(keepingCapacity: true)
        if let loss = try records.append(to: &lines, size: 1 << 20) {
          throw Failure(
            .inputOutput, "cannot be read again: \(loss.error)", file: path, remedy: "Check the disk")
        }
        _ = try located { try lines.withUnsafeBytes { try writer.add($0) } }
      }
    }
    parts = []
    _ = try located { try writer.finish() }
  }

  private func located<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as ParquetError {
      throw Failure(
        .badInput, error.message, file: path,
        remedy: "Write JSON lines (.jsonl) instead, which keep each line as it is")
    }
  }
}
