/// The parts of a JSON line on both sides of the text value, as ranges of the batch's bytes.
///
/// All other fields travel in them untouched, byte for byte.
package struct JSONEnvelope: Sendable, Equatable {
  package let before: Range<Int>
  package let after: Range<Int>
  /// Whether the text value still stands between the two as it was read: then the line can be written as it was.
  package let isVerbatim: Bool

  package init(before: Range<Int>, after: Range<Int>, isVerbatim: Bool) {
    self.before = before
    self.after = after
    self.isVerbatim = isVerbatim
  }
}
