import Parquet
import Support

/// What the footer of a Parquet file says about it.
package struct TableDescription: Sendable {
  package struct Column: Sendable {
    /// The names from the root on, with dots between them.
    package let path: String
    package let type: String
    package let codec: String
    package let encodings: String
    /// The bytes of its pages in the file, and decompressed.
    package let storedBytes: Int
    package let bytes: Int
  }

  package let rows: Int
  package let rowGroups: Int
  package let createdBy: String?
  package let columns: [Column]

  /// Whether a regular file begins as Parquet does.
  package static func isTable(_ path: String) throws -> Bool {
    guard Path.isRegularFile(path) else { return false }
    let file = try InputFile(path)
    var magic: [UInt8] = [0, 0, 0, 0]
    return try magic.withUnsafeMutableBytes { try file.read(at: 0, into: $0) } == 4
      && magic == ParquetFile.magic
  }

  /// nil if the file is no Parquet file that can be read.
  package init?(of path: String) throws {
    guard try Self.isTable(path) else { return nil }
    let file = try InputFile(path)
    guard
      let parquet = try? ParquetFile(size: file.size ?? 0, readAt: { try file.read(at: $0, into: $1) })
    else { return nil }
    let metadata = parquet.metadata
    (rows, rowGroups, createdBy) = (metadata.rowCount, metadata.rowGroups.count, metadata.createdBy)
    columns = metadata.schema.leaves.enumerated().map { index, leaf in
      let chunks = metadata.rowGroups.map { $0.columns[index] }
      return Column(
        path: leaf.path.dropFirst().joined(separator: "."), type: leaf.node.typeName,
        codec: Self.names(chunks.map { Codec(rawValue: $0.codec)?.name ?? "codec \($0.codec)" }),
        encodings: Self.names(
          chunks.flatMap(\.encodings).map { PageEncoding(rawValue: $0)?.name ?? "encoding \($0)" }),
        storedBytes: Self.sum(chunks.map(\.compressedSize)), bytes: Self.sum(chunks.map(\.uncompressedSize)))
    }
  }

  /// Each name once, in order.
  private static func names(_ names: [String]) -> String { Set(names).sorted().joined(separator: " ") }

  /// What a footer states may be any number.
  private static func sum(_ sizes: [Int]) -> Int {
    sizes.reduce(0) { sum, size in
      let (total, overflows) = sum.addingReportingOverflow(size)
      return overflows ? .max : total
    }
  }
}
