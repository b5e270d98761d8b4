import Foundation
import Parquet
import Support

/// The rows of a Parquet file as JSON lines.
///
/// Each row is an object with the fields of the schema in their order. Folders named `key=value` right above the file add
/// their keys as strings, unless a column has the name.
final class RecordLines {
  private let file: InputFile
  private let records: RecordReader
  private var lines: [UInt8] = []
  private var taken = 0
  /// What has cost rows; reading stops there until ``resume()``.
  private(set) var damage: Damage?

  /// The rows that have been passed, whether they were read or lost.
  var rowsPassed: Int { records.rowsPassed }

  /// JSON is made in pieces of this size.
  private static let pieceBytes = 1 << 18

  /// Opens a file that begins as Parquet does. Throws a ``ParquetError`` if it cannot be read.
  init(_ file: InputFile, options: ReaderOptions) throws {
    self.file = file
    let parquet = try ParquetFile(size: file.size ?? 0) { try file.read(at: $0, into: $1) }
    let names = parquet.metadata.schema.children.map(\.name)
    if let columns = options.columns {
      if let missing = columns.first(where: { !names.contains($0) }) {
        throw Failure(
          .badInput, "has no column \"\(missing)\"", file: file.path,
          remedy: "It has these: " + names.prefix(24).joined(separator: ", ")
            + (names.count > 24 ? ", …" : ""))
      }
    }
    let kept = options.columns.map { Set($0).union(Self.prefixes(of: options.textField)) }
    records = try RecordReader(parquet, members: Self.members(of: file.path)) { kept?.contains($0) ?? true }
  }

  /// `a.b.c` may be field c of `a.b`, or b.c of `a`.
  private static func prefixes(of field: String) -> [String] {
    let parts = field.split(separator: ".", omittingEmptySubsequences: false)
    return parts.indices.map { parts[...$0].joined(separator: ".") }
  }

  /// The keys and values of the folders right above a file, the outermost first. Hive's name for null is null.
  static func members(of path: String) -> [(name: String, value: String?)] {
    var members: [(name: String, value: String?)] = []
    for folder in path.split(separator: "/").dropLast().reversed() {
      let parts = folder.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else { break }
      let value = parts[1] == "__HIVE_DEFAULT_PARTITION__" ? nil : unescaped(parts[1])
      let name = unescaped(parts[0])
      members.removeAll { $0.name == name }
      members.insert((name, value), at: 0)
    }
    return members
  }

  private static func unescaped(_ text: Substring) -> String { text.removingPercentEncoding ?? String(text) }

  /// The next bytes; 0 at the end, or where there is damage.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if taken == lines.count {
      if damage != nil { return 0 }
      lines.removeAll(keepingCapacity: true)
      taken = 0
      if let loss = try records.append(to: &lines, size: min(Self.pieceBytes, buffer.count)) {
        let rows =
          "\(loss.rows) row\(loss.rows == 1 ? "" : "s") of row group \(loss.rowGroup + 1) cannot be read"
        damage = Damage(
          kind: .rowGroup, file: file.path, offset: loss.error.offset ?? 0,
          reason: "\(rows): \(loss.error.message)")
      }
    }
    let count = min(buffer.count, lines.count - taken)
    lines.withUnsafeBytes {
      if count > 0 { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[taken..<(taken + count)])) }
    }
    taken += count
    return count
  }

  /// Goes on with the next row group.
  func resume() { damage = nil }
}

extension FileFormat {
  /// Why a file that begins as Parquet cannot be read.
  static func parquet(_ error: ParquetError) -> FileFormat {
    FileFormat(
      "a Parquet file that cannot be read (\(error))",
      error.isUnsupported ? "Write it anew with pyarrow" : "Fetch it again, or write it anew")
  }

  /// A Parquet file ends with the list of its parts.
  static let pipedParquet = FileFormat(
    "a Parquet file that comes through a pipe", "It is read from its end: save it as a file, and give that")
  static let compressedParquet = FileFormat(
    "a compressed Parquet file", "It is read from its end: unpack FILE with gzip -d or zstd -d first")

  var isParquet: Bool { name == "a Parquet file" }
}
