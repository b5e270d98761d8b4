import ArgumentParser
import Foundation

/// `0.7,0.3`: numbers that are not negative, one of them positive.
struct NumberList: ExpressibleByArgument, Sendable {
  let text: String
  let numbers: [Double]

  init?(argument: String) {
    text = argument
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    numbers = parts.compactMap { Double($0.trimmingCharacters(in: .whitespaces)) }
    guard numbers.count == parts.count, numbers.allSatisfy({ (0...1e6).contains($0) }),
      numbers.contains(where: { $0 > 0 })
    else { return nil }
  }
}
