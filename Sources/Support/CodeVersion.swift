/// The version of both tools, which datasets and checkpoints record.
package enum CodeVersion {
  package static let current = "0.1.0"
}
