import Corpus

/// The versions that decide what `pkm-data` makes: its own, and those of ICU and Unicode.
package enum Provenance {
  package static let version =
    "0.1.0 (ICU \(Normalizer.icuVersion), Unicode \(Normalizer.unicodeVersion))"
  /// For the index of a dataset.
  package static let text = "pkm-data \(version)"
}
