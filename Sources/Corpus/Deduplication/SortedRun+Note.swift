import Foundation
import Support

extension SortedRun {
  /// The note as the JSON that its writer has put there.
  func decodedNote<Value: Decodable>(_ type: Value.Type) throws -> Value {
    do { return try JSONDecoder().decode(type, from: Data(note)) } catch {
      throw Failure(
        .badInput, "its note is not one that this program wrote: \(error)", file: path,
        remedy: "Remove the directory and run again")
    }
  }
}
