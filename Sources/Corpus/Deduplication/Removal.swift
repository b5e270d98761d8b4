/// A document that was removed, and why.
package struct Removal: Sendable, Equatable {
  /// Its number in the batch.
  package let index: Int
  package let location: DocumentLocation
  /// nil: the document was empty.
  package let first: DocumentLocation?

  package init(index: Int, location: DocumentLocation, first: DocumentLocation?) {
    self.index = index
    self.location = location
    self.first = first
  }
}
