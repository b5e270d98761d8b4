import ArgumentParser
import Foundation
import Shards

/// `valid=0.01,test=0.01`.
struct SplitShares: ExpressibleByArgument, Sendable {
  let text: String
  let shares: [DatasetRewriter.Share]

  init?(argument: String) {
    text = argument
    var shares: [DatasetRewriter.Share] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = part.split(separator: "=", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard sides.count == 2, DatasetIndex.isValidSplitName(sides[0]), sides[0] != "train",
        let share = Double(sides[1]), share > 0, share < 1, !shares.contains(where: { $0.split == sides[0] })
      else { return nil }
      shares.append(DatasetRewriter.Share(split: sides[0], share: share))
    }
    guard shares.reduce(0, { $0 + $1.share }) < 1 else { return nil }
    self.shares = shares
  }
}
