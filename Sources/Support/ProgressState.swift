/// How far a command has come.
package struct ProgressState: Sendable {
  package var label: String
  package var unit: String
  package var done: Int
  package var total: Int?
  /// Seconds since the beginning.
  package var seconds: Double
  /// Documents read so far.
  package var documents: Int
  package var words: Int
  package var note: String
}
