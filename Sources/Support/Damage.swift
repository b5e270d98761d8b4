/// The place in a compressed input where it could not be decompressed any further.
package struct Damage: Sendable, CustomStringConvertible {
  package enum Kind: String, Sendable {
    case gzipMember = "gzip_members_damaged"
    case zstdFrame = "zstd_frames_damaged"
    /// A complete member or frame is followed by something else.
    case foreignBytes = "foreign_bytes_ignored"
  }

  package let kind: Kind
  package let file: String
  /// Offset in the compressed file at which reading stopped.
  package let offset: Int
  package let reason: String

  package var description: String { Failure(.badInput, reason, file: file, offset: offset).description }
}
