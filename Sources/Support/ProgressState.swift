/// How far the work is.
package struct ProgressState: Sendable {
  package var label: String
  package var unit: String
  package var done: Int
  package var total: Int?
  /// Since the beginning.
  package var seconds: Double
  /// Read so far.
  package var documents: Int
  package var words: Int
  package var note: String
}
