import Foundation
import Support

/// The outputs of the stages of a run, one directory for each stage, with a lock against a second run.
///
/// The name of an output holds the key of its step and appears by rename. Its record, written after it, holds the
/// options and the counts of the step, and the size and the checksum of the output: what is handed over to the next
/// step is what was made. The ledger lists all that the runs have made here; nothing else is ever removed.
final class WorkDirectory {
  let path: String
  private var lock: FileLock?

  struct Record: Codable {
    var key: String
    var name: String
    var options: [String]
    var inputKeys: [String]
    var summary: String
    /// The size of the output on disk, all its files together, and a hash of them; nil for what streams into the next step.
    var bytes: Int?
    var checksum: String?
  }

  /// `stages.json`, which also marks the directory as that of a recipe.
  private struct Ledger: Codable {
    var format = "pkm-work"
    /// Paths of outputs in the directory, such as `01-normalize/train.0123456789abcdef.jsonl.zst`.
    var made: Set<String> = []

    enum CodingKeys: String, CodingKey { case format, made }

    init() {}
  }

  static let ledgerName = "stages.json"

  init(_ path: String) { self.path = path }

  /// Locks the directory for the lifetime of the object, and removes what killed runs have left.
  func acquire() throws {
    try SystemCall.makeDirectories(path)
    // A run that was killed at its start has left no more than these.
    let names = try SystemCall.names(in: path).filter { $0 != "lock" && !TemporaryName.isTemporary($0) }
    if !names.isEmpty && !isMarked {
      throw Failure(
        .inputOutput, "holds other files, and the run would work there", file: path,
        remedy: "Move it elsewhere, or choose another output")
    }
    lock = try FileLock(Path.join(path, "lock"), what: path)
    for directory in [path] + directories { try? TemporaryName.sweep(directory) }
    if !Path.exists(ledgerPath) { try JSONFile.write(Ledger(), to: ledgerPath) }
  }

  /// Whether the ledger is ours: a file of its name alone may be anybody's.
  private var isMarked: Bool {
    guard let bytes = try? MappedFile.read(ledgerPath) else { return false }
    return String(decoding: bytes, as: UTF8.self).contains("\"\(Ledger().format)\"")
  }

  // MARK: Records

  /// The record of a step that is done; a step that streams into the next one has no output.
  ///
  /// An output of another size than the one recorded is not the one that was made.
  func record(of step: PlannedStep) -> Record? {
    guard let record = Self.read(step.output + ".done"), record.key == step.key else { return nil }
    if step.isStreamed { return record }
    return record.bytes != nil && record.bytes == Self.size(of: step.output) ? record : nil
  }

  /// The records of steps that run together; nil unless all are done, the last of them with its output.
  func records(of chain: [PlannedStep]) -> [Record]? {
    let records = chain.compactMap(record)
    return records.count == chain.count ? records : nil
  }

  /// Whether the output, which a step is about to read, has the checksum of its record.
  func isIntact(_ step: PlannedStep) throws -> Bool {
    guard let record = record(of: step) else { return false }
    return try record.checksum == Self.checksum(of: step.output)
  }

  /// Whether the step is done, but its output has another size than the one recorded.
  func hasAnotherSize(_ step: PlannedStep) -> Bool {
    guard let record = Self.read(step.output + ".done"), record.key == step.key, !step.isStreamed else {
      return false
    }
    return record.bytes != Self.size(of: step.output) && Path.exists(step.output)
  }

  /// Writes the record of a step that has ended.
  func finish(_ step: PlannedStep, _ summary: Summary) throws -> Record {
    var record = Record(
      key: step.key, name: step.name, options: step.options, inputKeys: step.inputKeys, summary: summary.json)
    if !step.isStreamed {
      record.bytes = Self.size(of: step.output)
      record.checksum = try Self.checksum(of: step.output)
    }
    let file = try OutputFile(step.output + ".done")
    try file.write(JSONFile.bytes(of: record))
    try file.finish()
    return record
  }

  /// Removes the record, so that the step runs again the next time.
  func forget(_ step: PlannedStep) { unlink(step.output + ".done") }

  /// Why a step has to run, in a few words.
  func reason(for step: PlannedStep, remade: Set<String>) -> String {
    if Path.exists(step.output) {
      return Self.read(step.output + ".done") == nil
        ? "its record is missing" : "its output is not the one that was recorded"
    }
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

  private static func read(_ path: String) -> Record? {
    guard let bytes = try? MappedFile.read(path) else { return nil }
    return try? JSONDecoder().decode(Record.self, from: Data(bytes))
  }

  /// The files of an output, which is a file or a dataset directory.
  private static func files(of output: String) -> [String] {
    guard Path.isDirectory(output) else { return [output] }
    return ((try? SystemCall.names(in: output)) ?? []).sorted().map { Path.join(output, $0) }
  }

  /// nil where there is none.
  private static func size(of output: String) -> Int? {
    guard Path.exists(output) else { return nil }
    return files(of: output).reduce(0) { total, file in
      var status = stat()
      return stat(file, &status) == 0 ? total + Int(status.st_size) : total
    }
  }

  private static func checksum(of output: String) throws -> String {
    let hashes = try files(of: output).map {
      "\(Path.name(of: $0)) \(try InputFingerprint.contentHash($0))\n"
    }
    return Hashing.hexadecimal(Hashing.xxh3(hashes.joined()))
  }

  // MARK: The ledger

  private var ledgerPath: String { Path.join(path, Self.ledgerName) }

  private var ledger: Ledger {
    guard let bytes = try? MappedFile.read(ledgerPath),
      let ledger = try? JSONDecoder().decode(Ledger.self, from: Data(bytes)), ledger.format == Ledger().format
    else { return Ledger() }
    return ledger
  }

  /// Notes outputs that are about to be made.
  func note(_ steps: [PlannedStep]) throws {
    var ledger = ledger
    let before = ledger.made
    for step in steps { ledger.made.insert(name(of: step)) }
    if ledger.made != before { try JSONFile.write(ledger, to: ledgerPath) }
  }

  private func name(of step: PlannedStep) -> String { Path.join(step.stage, Path.name(of: step.output)) }

  /// The directories of the stages of this recipe and of earlier ones.
  private var directories: [String] {
    Set(made.map { Path.directory(of: $0) }).sorted().map { Path.join(path, $0) }
  }

  /// What the ledger lists, without names that lead out of the directory.
  private var made: Set<String> {
    ledger.made.filter { name in
      let parts = name.split(separator: "/", omittingEmptySubsequences: false)
      return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") }
        && !Path.isLink(Path.join(path, String(parts[0])))
    }
  }

  private func names(in directory: String) -> [String] {
    (try? SystemCall.names(in: directory)) ?? []
  }

  /// Removes the outputs of earlier recipes, which are those of no step of the plan.
  func removeAllBut(_ steps: [PlannedStep]) throws {
    let records = Set(steps.map(name))
    let outputs = Set(steps.filter { !$0.isStreamed }.map(name))
    let made = made
    // Records first, so that no output that is half removed has one.
    for name in made where !records.contains(name) { unlink(Path.join(path, name) + ".done") }
    for name in made where !outputs.contains(name) {
      let file = Path.join(path, name)
      if Path.exists(file) || Path.isLink(file) { try? FileManager.default.removeItem(atPath: file) }
    }
    for directory in directories { rmdir(directory) }
    var ledger = Ledger()
    ledger.made = records
    if made != records { try JSONFile.write(ledger, to: ledgerPath) }
  }
}
