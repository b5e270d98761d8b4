import ArgumentParser

/// Refuses options that the chosen mode of a command does not use.
///
/// An option that changes nothing is a misunderstanding: `dedup --threshold 0.8` would run the exact method, and
/// nobody would learn that no near-duplicate was looked for. So commands declare such options without a default
/// value, which tells those that were given from the others, and name here the mode that each belongs to.
package enum OptionUse {
  /// Throws if any of the options was given although the mode that uses them is not chosen.
  ///
  /// `mode` is what a user would have to give, such as `--method minhash`. Options have the value nil, false or an
  /// empty list where they were not given.
  package static func check(_ mode: String, _ isChosen: Bool, _ options: KeyValuePairs<String, Any?>) throws {
    if isChosen { return }
    for (name, value) in options where isGiven(value) {
      throw ValidationError("\(name) is for \(mode), and would change nothing here")
    }
  }

  private static func isGiven(_ value: Any?) -> Bool {
    switch value {
    case nil: false
    case let flag as Bool: flag
    case let list as [Any]: !list.isEmpty
    default: true
    }
  }
}
