import Foundation
import Support
import TestSupport

/// States that `dedup` leaves for a later command, each with that command and its right result.
struct DedupState: Sendable, CustomStringConvertible {
  let name: String
  /// The directory of the state, which is copied for each use.
  let directory: String
  /// Arguments; `STATE` is the copy, and `OUT` the output.
  let arguments: [String]
  /// The file of the output that has the result: of `OUT`, or in it.
  let result: String
  let expected: [UInt8]

  var description: String { name }

  /// Runs the command on a copy of the state that `change` has changed, within 1.5 GB and ten seconds.
  func run(_ change: (_ directory: String) throws -> Void) throws -> (
    status: Int32, errors: String, output: [UInt8]?
  ) {
    let scratch = try Scratch()
    let copy = scratch.path("state")
    try FileManager.default.copyItem(atPath: directory, toPath: copy)
    try change(copy)
    let tool = Tool.directory.appendingPathComponent("pkm-data").path
    let arguments = arguments.map {
      $0.replacingOccurrences(of: "STATE", with: copy).replacingOccurrences(
        of: "OUT", with: scratch.path("out"))
    }
    let result = try Subprocess.run(
      "/bin/bash", ["-c", "ulimit -v 1500000; exec timeout -s KILL 10 \"$@\"", "bash", tool] + arguments)
    let output = try? MappedFile.read(scratch.path(result.status == 0 ? "out" + self.result : "none"))
    return (result.status, result.errors, output)
  }
}

extension DedupState {
  /// The states of every method, finished and half finished, and of every stage; `seed` makes other documents.
  static func all(in scratch: Scratch, seed: UInt64) throws -> [DedupState] {
    var random = RandomGenerator(seed: seed)
    func word() -> String {
      String((0..<4).map { _ in Character(Unicode.Scalar(UInt8(97 + random.below(26)))) })
    }
    var lines: [String] = []
    for index in 0..<240 {
      if index > 0, random.below(3) == 0 {
        let old = lines[random.below(index)]
        lines.append(random.below(2) == 0 ? old : String(old.prefix(old.count * 4 / 5)) + word())
      } else {
        lines.append((0..<14).map { _ in word() }.joined(separator: " "))
      }
    }
    let texts = [lines[..<120], lines[120...]].map { $0.joined(separator: "\n") + "\n" }
    for (name, text) in zip(["a", "b"], texts) { try scratch.write("\(name)-\(seed).txt", text) }
    let inputs = ["a", "b"].map { scratch.path("\($0)-\(seed).txt") }
    let common = ["dedup", "--memory", "64M", "--threads", "1", "--quiet"]
    func run(_ arguments: [String]) throws {
      let result = try Tool.data.run(common + arguments)
      guard result.status == 0 else { throw Failure(.failed, "\(arguments): \(result.errors)") }
    }

    var states: [DedupState] = []
    func add(
      _ name: String, _ directory: String, _ arguments: [String], result: String = "", without: [String] = []
    ) throws {
      if !without.isEmpty {
        let part = scratch.path("\(name)-\(seed)")
        try FileManager.default.copyItem(atPath: directory, toPath: part)
        for file in without { try FileManager.default.removeItem(atPath: "\(part)/\(file)") }
        return try add(name, part, arguments, result: result)
      }
      let state = DedupState(
        name: name, directory: directory, arguments: common + arguments, result: result, expected: [])
      let right = try state.run { _ in }
      guard right.status == 0, let output = right.output else {
        throw Failure(.failed, "\(name): \(right.status) \(right.errors)")
      }
      states.append(
        DedupState(
          name: name, directory: directory, arguments: common + arguments, result: result, expected: output))
    }

    let methods: [(String, [String], unfinished: [String])] = [
      ("exact", [], ["hashes/repeats.json", "hashes/repeats-00000"]),
      ("paragraph", [], ["hashes/repeats.json"]),
      ("minhash", ["--verify"], ["clusters/clusters.json", "bands/bands.json"]),
      ("substring", ["--min-length", "5"], ["spans/cuts.json"]),
    ]
    for (method, options, unfinished) in methods {
      let arguments = ["--method", method] + options + inputs
      let directory = scratch.path("\(method)-\(seed)")
      try run(arguments + ["--work-dir", directory, "-o", scratch.path("first")])
      let again = arguments + ["--work-dir", "STATE", "-o", "OUT"]
      try add(method, directory, again)
      try add("unfinished-\(method)", directory, again, without: unfinished)
    }

    let stages = scratch.path("stages-\(seed)")
    try FileManager.default.createDirectory(atPath: stages, withIntermediateDirectories: true)
    let near = ["--method", "minhash", "--stage"]
    for (name, input) in zip(["a", "b"], inputs) {
      try run(near + ["signatures", input, "-o", "\(stages)/\(name)"])
    }
    try run(near + ["bands", "\(stages)/a", "\(stages)/b", "-o", "\(stages)/bands"])
    try run(near + ["clusters", "\(stages)/a", "\(stages)/b", "\(stages)/bands", "-o", "\(stages)/clusters"])
    try add("bands", stages, near + ["bands", "STATE/a", "STATE/b", "-o", "OUT"], result: "/pairs-00000")
    try add(
      "clusters", stages, near + ["clusters", "STATE/a", "STATE/b", "STATE/bands", "-o", "OUT"],
      result: "/removals-00000")
    try add("filter", stages, near + ["filter", "--clusters", "STATE/clusters", inputs[0], "-o", "OUT"])
    return states
  }
}
