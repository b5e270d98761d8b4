import Support

/// Something wrong with a dataset, and where.
package struct DatasetProblem: Sendable, Equatable, CustomStringConvertible {
  package let file: String
  /// Byte offset in the file as it lies on disk.
  package let offset: Int?
  package let message: String

  package var description: String {
    file + (offset.map { " at byte \($0)" } ?? "") + ": " + message
  }

  init(file: String, offset: Int? = nil, _ message: String) {
    (self.file, self.offset, self.message) = (file, offset, message)
  }

  /// The problem that a failed read reports; errors that are not about the data are thrown on.
  init(_ error: any Error, file: String) throws {
    guard let failure = error as? Failure, failure.kind == .badInput || failure.kind == .inputOutput else {
      throw error
    }
    self.init(file: failure.file ?? file, offset: failure.offset, failure.message)
  }
}
