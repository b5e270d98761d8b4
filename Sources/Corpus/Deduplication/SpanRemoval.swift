/// A span that was removed from a document.
package struct SpanRemoval: Sendable, Equatable {
  /// The index of the document in the batch before the change.
  package let oldIndex: Int
  package let location: DocumentLocation
  /// The range of the span in the document as it was read.
  package let range: Range<Int>
  /// A document that contains the span as well: the first one, or another one if none is kept.
  package let first: DocumentLocation
}
