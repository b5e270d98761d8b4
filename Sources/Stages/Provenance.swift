import Corpus
import Support

/// The versions that decide what `pkm-data` makes: its own, and those of ICU and Unicode.
package enum Provenance {
  package static let version =
    "\(CodeVersion.current) (ICU \(Normalizer.icuVersion), Unicode \(Normalizer.unicodeVersion))"
  /// For the index of a dataset.
  package static let text = "pkm-data \(version)"
}
