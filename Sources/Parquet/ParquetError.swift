/// What is wrong with a Parquet file, and where.
package struct ParquetError: Error, Equatable, CustomStringConvertible {
  package let message: String
  /// The byte of the file at which the damaged part begins; nil where no part is to blame.
  package var offset: Int?
  /// Whether the file may be sound, and uses what is not supported.
  package let isUnsupported: Bool

  init(_ message: String, offset: Int? = nil, isUnsupported: Bool = false) {
    (self.message, self.offset, self.isUnsupported) = (message, offset, isUnsupported)
  }

  static func unsupported(_ what: String) -> ParquetError {
    ParquetError("\(what) is not supported", isUnsupported: true)
  }

  func at(_ offset: Int) -> ParquetError {
    var copy = self
    if copy.offset == nil { copy.offset = offset }
    return copy
  }

  package var description: String { (offset.map { "byte \($0): " } ?? "") + message }
}
