import Foundation
import Support

/// The outputs of the stages of a run, one directory for each stage, with a lock against a second run.
///
/// The name of an output holds the key of its step and appears by rename, so an output that exists is complete and current.
/// Its record, written after it, holds the options and the counts of the step.
final class WorkDirectory {
  let path: String
  private var lock: FileLock?

  struct Record: Codable {
    var key: String
    var name: String
    var options: [String]
    var inputKeys: [String]
    var summary: String
  }

  init(_ path: String) { self.path = path }

  /// Locks the directory for the lifetime of the object, and removes what killed runs have left.
  func acquire() throws {
    try SystemCall.makeDirectories(path)
    lock = try FileLock(Path.join(path, "lock"), what: path)
    sweep()
  }

  /// The record of a step that is done; a step that streams into the next one has no output.
  func record(of step: PlannedStep) -> Record? {
    guard step.isStreamed || Path.exists(step.output), let record = Self.read(step.output + ".done"),
      record.key == step.key
    else {
      return nil
    }
    return record
  }

  /// The records of steps that run together; nil unless all are done, the last of them with its output.
  func records(of chain: [PlannedStep]) -> [Record]? {
    let records = chain.compactMap(record)
    return records.count == chain.count ? records : nil
  }

  /// Writes the record of a step that has ended.
  func finish(_ step: PlannedStep, _ summary: Summary) throws -> Record {
    let record = Record(
      key: step.key, name: step.name, options: step.options, inputKeys: step.inputKeys, summary: summary.json)
    let file = try OutputFile(step.output + ".done")
    try file.write(JSONFile.bytes(of: record))
    try file.finish()
    return record
  }

  /// Removes the record, so that the step runs again the next time.
  func forget(_ step: PlannedStep) { unlink(step.output + ".done") }

  /// Why a step has to run, in a few words.
  func reason(for step: PlannedStep, remade: Set<String>) -> String {
    if Path.exists(step.output) { return "its record is missing" }
    if step.inputKeys.contains(where: remade.contains) { return "its input is made anew" }
    let stage = Path.directory(of: step.output)
    let prefix = Path.name(of: step.output).split(separator: ".")[0] + "."
    let names = names(in: stage)
    if names.contains(where: { $0.hasPrefix(".\(prefix)\(step.key)") }) { return "it was interrupted" }
    let others = names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".done") }
      .compactMap { Self.read(Path.join(stage, $0)) }.filter { $0.name == step.name }
    guard let other = others.first else { return "not done yet" }
    if other.options != step.options {
      return "its options were \(other.options.isEmpty ? "none" : other.options.joined(separator: " "))"
    }
    return other.inputKeys != step.inputKeys ? "its input has changed" : "the seed or the program has changed"
  }

  /// Removes the temporary files of killed runs; the lock must be held.
  private func sweep() {
    for directory in [path] + subdirectories { try? TemporaryName.sweep(directory) }
    try? FileManager.default.removeItem(atPath: newDataset)
  }

  /// Where a dataset is assembled that will replace the output.
  var newDataset: String { Path.join(path, "dataset.new") }

  /// The directories of the stages of this recipe and of earlier ones.
  private var subdirectories: [String] {
    names(in: path).filter { $0.prefix(2).allSatisfy(\.isNumber) }.map { Path.join(path, $0) }
      .filter(Path.isDirectory)
  }

  private func names(in directory: String) -> [String] {
    (try? SystemCall.names(in: directory)) ?? []
  }

  /// Removes the outputs of earlier recipes, which are those of no step of the plan.
  func removeAllBut(_ steps: [PlannedStep]) {
    let kept = Set(
      steps.flatMap { $0.isStreamed ? [$0.output + ".done"] : [$0.output, $0.output + ".done"] })
    for directory in subdirectories {
      let left = names(in: directory).map { Path.join(directory, $0) }.filter { !kept.contains($0) }
      // Records first, so that no output that is half removed has one.
      for file in left.filter({ $0.hasSuffix(".done") }) { unlink(file) }
      for file in left { try? FileManager.default.removeItem(atPath: file) }
      rmdir(directory)
    }
  }

  private static func read(_ path: String) -> Record? {
    guard let bytes = try? MappedFile.read(path) else { return nil }
    return try? JSONDecoder().decode(Record.self, from: Data(bytes))
  }
}
