import Support

extension SortedRun {
  /// The note as the JSON that its writer has put there.
  func decodedNote<Value: Decodable>(_ type: Value.Type) throws -> Value {
    do {
      return try JSONDecoding.decode(
        type, from: Array(note), file: path, remedy: "Remove the directory and run again")
    } catch let failure as Failure {
      throw Failure(
        failure.kind, "its note is not one that this program wrote: \(failure.message)", file: path,
        remedy: failure.remedy)
    }
  }
}
