/// A document that was removed, and why.
package struct Removal: Sendable, Equatable {
  /// Its index in the batch.
  package let index: Int
  package let location: DocumentLocation
  /// The document that is kept instead; nil if the document was removed because it is empty.
  package let first: DocumentLocation?

  package init(index: Int, location: DocumentLocation, first: DocumentLocation?) {
    self.index = index
    self.location = location
    self.first = first
  }
}
