/// The place in a compressed input where it could not be decompressed any further.
package struct Damage: Sendable, CustomStringConvertible {
  package enum Kind: String, Sendable {
    case gzipMember = "gzip_members_damaged"
    case zstdFrame = "zstd_frames_damaged"
    /// Rows of a Parquet file.
    case rowGroup = "parquet_row_groups_damaged"
    /// A complete member or frame is followed by something else.
    case foreignBytes = "foreign_bytes_ignored"
  }

  package let kind: Kind
  package let file: String
  /// Offset in the compressed file at which reading stopped.
  package let offset: Int
  package let reason: String

  package init(kind: Kind, file: String, offset: Int, reason: String) {
    (self.kind, self.file, self.offset, self.reason) = (kind, file, offset, reason)
  }

  package var description: String { Failure(.badInput, reason, file: file, offset: offset).description }
}
