/// Part of a compressed input that could not be read.
///
/// What came before it was.
package struct Damage: Sendable, CustomStringConvertible {
  package enum Kind: String, Sendable {
    case gzipMember = "gzip_members_damaged"
    case zstdFrame = "zstd_frames_damaged"
    /// Something else follows a whole member or frame.
    case foreignBytes = "foreign_bytes_ignored"
  }

  package let kind: Kind
  package let file: String
  /// Offset in the compressed file at which reading stopped.
  package let offset: Int
  package let reason: String

  package var description: String { Failure(.badInput, reason, file: file, offset: offset).description }
}
