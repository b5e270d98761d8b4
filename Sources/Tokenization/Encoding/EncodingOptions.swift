/// How a ``BPEEncoder`` departs from the plain application of all merges.
package struct EncodingOptions: Sendable {
  /// Only this many merges, the first ones, are applied.
  package var merges: Int?
  /// The probability with which a place where a merge could happen is passed over, at each step anew.
  ///
  /// BPE-dropout (Provilkov et al. 2020) as subword-nmt does it.
  package var dropout = 0.0
  package var seed: UInt64 = 1
  /// Word mode: a piece that is not among these is taken apart again.
  package var allowed: SubwordVocabulary?
  /// Word mode only: parts of words that are not split.
  package var glossary: Glossary?
  /// The text of a special token becomes its id.
  package var parsesSpecialTokens = false

  package init() {}
}
