import Support

/// A problem found in a dataset, and its location.
package struct DatasetProblem: Sendable, Equatable, CustomStringConvertible {
  package let file: String
  /// The byte offset in the file on disk.
  package let offset: Int?
  package let message: String

  package var description: String {
    file + (offset.map { " at byte \($0)" } ?? "") + ": " + message
  }

  init(file: String, offset: Int? = nil, _ message: String) {
    (self.file, self.offset, self.message) = (file, offset, message)
  }

  /// Converts the error of a failed read. Errors that are not about the data are rethrown.
  init(_ error: any Error, file: String) throws {
    guard let failure = error as? Failure, failure.kind == .badInput || failure.kind == .inputOutput else {
      throw error
    }
    self.init(file: failure.file ?? file, offset: failure.offset, failure.message)
  }
}
