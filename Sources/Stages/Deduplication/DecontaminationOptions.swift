import Corpus

/// Which evaluation sets documents are compared with.
package struct DecontaminationOptions: Sendable {
  /// Files and directories.
  package var files: [String] = []
  /// The only field of JSON evaluation sets that counts; nil: every string.
  package var textField: String?
  /// Whether matching documents get a field instead of being dropped.
  package var isMarking = false
  /// Words in a run that counts as shared.
  package var ngram = 13
  /// What the comparison keys keep.
  package var keep: KeptDetails = []

  package init() {}
}
