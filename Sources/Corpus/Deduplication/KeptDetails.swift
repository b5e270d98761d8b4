import CICU

/// What a ``ComparisonKey`` keeps that it usually drops, so that texts that differ in it count as different.
///
/// By default it keeps none of these, as CCNet and datatrove do: copies of web pages differ in them, by the
/// date or the page number, more often than different texts differ in nothing else. For arithmetic, tables
/// and code that is wrong: `What is 2 plus 3?` and `What is 4 plus 5?` are different texts there.
package struct KeptDetails: OptionSet, Sendable, Codable, Hashable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The values of decimal digits; the digits of all scripts are equal.
  package static let digits = KeptDetails(rawValue: UInt32(PKM_KEEP_DIGITS))
  /// Punctuation marks and symbols, each of which is a word.
  package static let punctuation = KeptDetails(rawValue: UInt32(PKM_KEEP_PUNCTUATION))
  /// Capitals and small letters.
  package static let letterCase = KeptDetails(rawValue: UInt32(PKM_KEEP_CASE))

  /// By the names that users know them by.
  package static let names: [(name: String, detail: KeptDetails)] = [
    ("digits", .digits), ("punctuation", .punctuation), ("case", .letterCase),
  ]
}
