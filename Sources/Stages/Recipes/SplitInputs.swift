import Corpus
import Foundation
import Shards
import Support

/// The input files of the splits of a recipe, each file in one split.
struct SplitInputs {
  struct Split {
    let name: String
    /// As the commands get them: files and directories.
    var paths: [String]
    var listing: InputListing
  }

  private(set) var splits: [Split]
  /// Whether they are datasets, to be shuffled or merged.
  let areDatasets: Bool
  /// What was found below a directory and belongs to another split, or is listed more than once.
  private(set) var heldOut: [InputListing.Skipped] = []

  init(of recipe: Recipe) throws {
    let paths = try recipe.inputs.map {
      (name: $0.split, paths: try InputFingerprint.resolve($0.paths, in: recipe))
    }
    areDatasets = paths.allSatisfy {
      $0.paths.allSatisfy { Path.exists(Path.join($0, DatasetIndex.fileName)) }
    }
    if areDatasets {
      splits = try paths.map { name, paths in
        // The files of a dataset, which is one directory.
        let files = try paths.flatMap { path in
          try SystemCall.names(in: path).filter { !$0.hasPrefix(".") }.sorted().map { Path.join(path, $0) }
        }
        return Split(name: name, paths: paths, listing: try InputListing(files))
      }
      return
    }
    splits = try paths.map { Split(name: $0, paths: $1, listing: try InputListing($1)) }
    // Said here, too: a run whose steps are done reads nothing.
    heldOut = splits.flatMap(\.listing.repeated)
    try separate(in: recipe)
  }

  /// Takes a file that several splits have found out of all but one: the one that names it, or else a held-out split rather
  /// than `train`.
  private mutating func separate(in recipe: Recipe) throws {
    var owners: [FileIdentity: (split: Int, isNamed: Bool, path: String)] = [:]
    for (number, split) in splits.enumerated() {
      let named = Self.named(split.name, in: recipe)
      for file in split.listing.files {
        guard let identity = FileIdentity(file) else { continue }
        let isNamed = named.contains(identity)
        guard let owner = owners[identity], owner.split != number else {
          owners[identity] = (number, isNamed, file)
          continue
        }
        let other = splits[owner.split].name
        if isNamed == owner.isNamed && (isNamed || split.name != "train" && other != "train") {
          throw recipe.failure(
            "the file \(file) is in the splits \(other) and \(split.name)", line: nil,
            remedy: "Leave it out of one of them")
        }
        if isNamed && !owner.isNamed || isNamed == owner.isNamed && other == "train" {
          owners[identity] = (number, isNamed, file)
        }
      }
    }
    for number in splits.indices {
      let others = owners.filter { $0.value.split != number }.mapValues { splits[$0.split].name }
      let before = splits[number].listing.skipped.count
      splits[number].listing.leaveOut(others)
      let left = splits[number].listing.skipped.dropFirst(before)
      if left.isEmpty { continue }
      heldOut += left
      splits[number].paths = splits[number].listing.files
      if splits[number].paths.isEmpty {
        throw recipe.failure(
          "all files of the split \(splits[number].name) belong to other splits", line: nil,
          remedy: "Give it files of its own")
      }
    }
  }

  /// The files that a split names, apart from what it finds in directories and by patterns.
  private static func named(_ split: String, in recipe: Recipe) -> Set<FileIdentity> {
    let paths = recipe.inputs.first { $0.split == split }!.paths.map { Path.join(recipe.directory, $0.path) }
    return Set(paths.filter { !Path.isDirectory($0) }.compactMap { FileIdentity($0) })
  }
}
