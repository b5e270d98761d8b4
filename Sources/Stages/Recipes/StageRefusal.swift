/// Why arguments are refused.
package struct StageRefusal: Error {
  let message: String

  package init(_ message: String) { self.message = message }
}
