import Foundation
import Shards
import Support

/// The last step of a run: moves the dataset of the work directory to the output, with the recipe in its index.
///
/// Files are linked, not copied. One rename replaces a dataset that this work directory has published before, or that holds
/// the same recipe; anything else at the output is refused and left alone.
struct Publication {
  let output: String
  let work: WorkDirectory
  let recipe: String

  /// Hashes of the `index.json` files that this work directory has published or was about to publish.
  private struct Ledger: Codable {
    var published: [String] = []
  }

  private var ledgerPath: String { Path.join(work.path, "published.json") }

  private var ledger: Ledger {
    guard let bytes = try? MappedFile.read(ledgerPath) else { return Ledger() }
    return (try? JSONDecoder().decode(Ledger.self, from: Data(bytes))) ?? Ledger()
  }

  private var isTaken: Bool {
    guard Path.exists(output) else { return false }
    return (try? SystemCall.names(in: output).isEmpty) != true
  }

  private var currentHash: String? {
    try? InputFingerprint.contentHash(Path.join(output, DatasetIndex.fileName))
  }

  /// Throws where the output was not made by this work directory or this recipe.
  func checkOutput() throws {
    guard isTaken else { return }
    if let hash = currentHash, ledger.published.contains(hash) { return }
    if let dataset = try? Dataset(output), dataset.index.recipe == recipe { return }
    throw Failure(
      .inputOutput, "exists already and was not made by this recipe", file: output,
      remedy: "Choose another output or remove it first")
  }

  /// Throws where the directory to be replaced holds files that do not belong to its dataset.
  private func checkNothingElse() throws {
    let known = Set((try? DatasetIndex(directory: output))?.fileNames ?? [])
    let names = try SystemCall.names(in: output)
    if let other = names.first(where: { !known.contains($0) && !known.isEmpty }) {
      throw Failure(
        .inputOutput, "does not belong to the dataset that is to be replaced", file: Path.join(output, other),
        remedy: "Move it elsewhere and run the recipe again; the new dataset is ready")
    }
  }

  /// Whether the output is this dataset already.
  func isCurrent(_ dataset: Dataset) throws -> Bool {
    guard let there = try? Dataset(output) else { return false }
    return try there.index == dataset.index.with(recipe: recipe)
      && MappedFile.read(Path.join(output, DatasetIndex.fileName)) == there.index.json()
      && dataset.index.fileNames.allSatisfy { name in
        // The index of the output has the recipe in it.
        name == DatasetIndex.fileName || size(of: name, in: output) == size(of: name, in: dataset.path)
      }
  }

  private func size(of name: String, in directory: String) -> Int? {
    var status = stat()
    return stat(Path.join(directory, name), &status) == 0 ? Int(status.st_size) : nil
  }

  func publish(_ dataset: Dataset) throws {
    try checkOutput()
    // A name of this attempt; what a killed run has left is swept when the work directory is acquired.
    let new = TemporaryName.path(for: Path.join(work.path, "dataset.new"), .directory)
    let fileManager = FileManager.default
    close(try SystemCall.makeNewDirectory(new))
    defer { try? fileManager.removeItem(atPath: new) }
    for name in dataset.index.fileNames where name != DatasetIndex.fileName {
      let (from, to) = (Path.join(dataset.path, name), Path.join(new, name))
      if link(from, to) != 0 { try fileManager.copyItem(atPath: from, toPath: to) }
    }
    let index = try OutputFile(Path.join(new, DatasetIndex.fileName))
    try index.write(dataset.index.with(recipe: recipe).json())
    try index.finish()
    // Written before the rename, so that after a kill either dataset at the output is known.
    var ledger = Ledger()
    ledger.published = [try InputFingerprint.contentHash(Path.join(new, DatasetIndex.fileName))]
    if let currentHash, currentHash != ledger.published[0] { ledger.published.append(currentHash) }
    let file = try OutputFile(ledgerPath)
    try file.write(Array(JSONEncoder().encode(ledger)))
    try file.finish()
    var replaced = stat()
    chmod(new, stat(output, &replaced) == 0 ? replaced.st_mode & 0o777 : 0o777 & ~SystemCall.umask)
    if isTaken {
      try checkNothingElse()
      try SystemCall.exchange(new, output)
    } else {
      try SystemCall.makeDirectories(Path.directory(of: output))
      try SystemCall.rename(new, to: output)
    }
  }
}
