/// The parts of a JSON line before and after the text value, as ranges of the batch's bytes.
///
/// They carry all other fields unchanged, byte for byte.
package struct JSONEnvelope: Sendable, Equatable {
  package let before: Range<Int>
  package let after: Range<Int>
  /// Whether the bytes between the two parts are still the text value as it was read. Then the whole line can
  /// be copied to the output.
  package let isVerbatim: Bool

  package init(before: Range<Int>, after: Range<Int>, isVerbatim: Bool) {
    self.before = before
    self.after = after
    self.isVerbatim = isVerbatim
  }
}
