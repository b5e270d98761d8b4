/// A span that was cut from a document.
package struct SpanRemoval: Sendable, Equatable {
  /// Of the document in the batch as it was.
  package let oldIndex: Int
  package let location: DocumentLocation
  /// Bytes of the document as it was read.
  package let range: Range<Int>
  /// A document that has it too: the first, or another one where none is kept.
  package let first: DocumentLocation
}
