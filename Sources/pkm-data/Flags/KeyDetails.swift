import ArgumentParser
import Corpus

/// `digits,punctuation,case`: what the comparison key keeps.
struct KeyDetails: ExpressibleByArgument, Sendable {
  let details: KeptDetails

  init?(argument: String) {
    var details: KeptDetails = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let detail = KeptDetails.names.first(where: { $0.name == name })?.detail else { return nil }
      details.insert(detail)
    }
    self.details = details
  }

  static var allValueStrings: [String] { KeptDetails.names.map(\.name) }
}
