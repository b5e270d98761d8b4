import Foundation
import Support
import TestSupport
import Testing

/// What one stage hands to the next is what was written, or refused; what a killed run hands to the one that continues it
/// is what was written, or made again.
@Suite(.timeLimit(.minutes(60))) struct DedupStateTests {
  private static let scratch = try? Scratch()
  private static let states = Result { try DedupState.all(in: scratch!, seed: 1) }
  private static let others = Result { try DedupState.all(in: scratch!, seed: 2) }

  private func state(_ name: String) throws -> DedupState {
    try #require(try Self.states.get().first { $0.name == name })
  }

  /// Runs a command on a changed state and expects that it says which file is damaged.
  ///
  /// A stage refuses what was handed to it; a run makes its own state again, and its output is right.
  private func expectNoticed(
    _ name: String, naming file: String, saying words: String = "",
    _ change: (_ directory: String) throws -> Void
  ) throws {
    let state = try state(name)
    let result = try state.run(change)
    #expect(
      result.errors.contains(file) && (words.isEmpty || result.errors.contains(words)),
      "\(name): \(result.errors)")
    if state.arguments.contains("--work-dir") {
      #expect(result.status == 0, "\(name), \(file): \(result.status) \(result.errors)")
      #expect(result.errors.contains("made again"), "\(name): \(result.errors)")
      #expect(result.output == state.expected, "\(name), \(file)")
    } else {
      #expect(result.status == 65, "\(name), \(file): \(result.status) \(result.errors)")
      #expect(result.output == nil)
    }
  }

  private func edit(_ path: String, _ change: (inout String) -> Void) throws {
    var text = try String(contentsOfFile: path, encoding: .utf8)
    let old = text
    change(&text)
    #expect(text != old, "nothing was changed in \(path)")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }

  private static func replaceNumber(_ key: String, by value: String, in text: inout String) {
    guard let range = text.range(of: "\"\(key)\" : [0-9]+", options: .regularExpression) else { return }
    text.replaceSubrange(range, with: "\"\(key)\" : \(value)")
  }

  static let numbers: [(state: String, file: String, key: String, values: [String])] = [
    ("clusters", "bands/bands.json", "documents", ["60", "0", "-1", "9223372036854775807", "1e300"]),
    ("clusters", "bands/bands.json", "firstDocument", ["1", "-7"]),
    ("clusters", "bands/bands.json", "shares", ["0", "-1", "65", "9223372036854775807"]),
    ("clusters", "bands/bands.json", "share", ["1", "-1"]),
    ("clusters", "a/signatures.json", "documents", ["1", "-1", "4294967296"]),
    ("clusters", "a/signatures.json", "bands", ["0", "-3", "1000000000000", "9223372036854775807"]),
    ("clusters", "a/signatures.json", "rows", ["0", "4097"]),
    ("bands", "a/signatures.json", "length", ["0", "-1", "9223372036854775807"]),
    ("filter", "clusters/clusters.json", "removed", ["0", "-1", "9223372036854775807"]),
    ("filter", "clusters/clusters.json", "documents", ["3", "-1"]),
    ("filter", "clusters/clusters.json", "2", ["-1", "9223372036854775807"]),
    ("exact", "hashes/repeats.json", "blocks", ["-1", "9223372036854775807"]),
    ("exact", "hashes/repeats.json", "2", ["-5", "9223372036854775807"]),
    ("substring", "spans/cuts.json", "cuts", ["-1", "9223372036854775807", "1"]),
    ("substring", "spans/cuts.json", "textBytes", ["-1", "0"]),
    ("substring", "spans/cuts.json", "placesBytes", ["-16", "7", "16"]),
  ]

  @Test(arguments: numbers)
  func numbersAreBoundedWhereTheyAreRead(state: String, file: String, key: String, values: [String]) throws {
    for value in values {
      func edit(_ directory: String, isForged: Bool) throws {
        try self.edit("\(directory)/\(file)") {
          Self.replaceNumber(key, by: value, in: &$0)
          if isForged { $0 = Forgery.seal($0) }
        }
      }
      try expectNoticed(state, naming: (file as NSString).lastPathComponent) {
        try edit($0, isForged: false)
      }
      // With a right checksum the number itself, or what it contradicts, is found.
      try expectNoticed(state, naming: (file as NSString).deletingLastPathComponent) {
        try edit($0, isForged: true)
      }
    }
  }

  @Test func messagesNameTheKeyAndItsBounds() throws {
    try expectNoticed(
      "clusters", naming: "bands.json", saying: "sets[0].documents is -1, and must be between 0 and"
    ) {
      try edit("\($0)/bands/bands.json") { Self.replaceNumber("documents", by: "-1", in: &$0) }
    }
    try expectNoticed("clusters", naming: "bands.json", saying: "its checksum does not fit") {
      try edit("\($0)/bands/bands.json") { $0 = $0.replacingOccurrences(of: "a-1.txt", with: "c-1.txt") }
    }
  }

  @Test(arguments: [
    ("clusters", "a/keys-00000", "bands/pairs-00000"), ("clusters", "bands/pairs-00000", "a/keys-00000"),
    ("filter", "bands/pairs-00000", "clusters/removals-00000"),
    ("exact", "hashes/hashes-00000", "hashes/repeats-00000"),
    ("unfinished-exact", "hashes/job", "hashes/hashes-00000"),
  ])
  func runsOfAnotherKindAreNoticed(state: String, from: String, to: String) throws {
    try expectNoticed(state, naming: (to as NSString).lastPathComponent) { directory in
      let source = from == "hashes/job" ? "\(directory)/job" : "\(directory)/\(from)"
      try FileManager.default.removeItem(atPath: "\(directory)/\(to)")
      try FileManager.default.copyItem(atPath: source, toPath: "\(directory)/\(to)")
    }
  }

  /// Files of the state of other documents, of the same names and the same kinds.
  static let handOvers: [(String, String)] = [
    ("bands", "a/keys-00000"), ("bands", "a/documents-00000"), ("clusters", "bands/pairs-00000"),
    ("clusters", "a/documents-00000"), ("clusters", "bands/bands.json"), ("clusters", "a/signatures.json"),
    ("filter", "clusters/removals-00000"), ("filter", "clusters/clusters.json"),
    ("minhash", "clusters/removals-00000"), ("minhash", "signatures/keys-00000"),
    ("minhash", "signatures/documents-00000"), ("unfinished-minhash", "signatures/keys-00000"),
    ("exact", "hashes/repeats-00000"), ("exact", "hashes/repeats.json"),
    ("unfinished-exact", "hashes/hashes-00000"), ("paragraph", "hashes/repeats-00000"),
    ("substring", "spans/cuts"), ("substring", "spans/cuts.json"), ("substring", "spans/places"),
    ("unfinished-substring", "spans/text"), ("unfinished-substring", "spans/places"),
    ("unfinished-substring", "spans/anchors-00000"), ("unfinished-substring", "spans/claims-00000"),
    ("unfinished-substring", "spans/window-claims-00000"),
  ]

  @Test(arguments: handOvers) func whatBelongsToOtherDocumentsIsNotTaken(name: String, file: String) throws {
    let state = try state(name)
    let other = try #require(try Self.others.get().first { $0.name == name })
    let result = try state.run { directory in
      try FileManager.default.removeItem(atPath: "\(directory)/\(file)")
      try FileManager.default.copyItem(
        atPath: "\(other.directory)/\(file)", toPath: "\(directory)/\(file)")
    }
    // Refused, or made again.
    #expect(result.output == nil || result.output == state.expected, "\(name), \(file)")
    #expect([0, 1, 64, 65].contains(result.status), "\(name), \(file): \(result.status) \(result.errors)")
  }

  @Test func spansAreCheckedEveryOne() throws {
    try expectNoticed("substring", naming: "cuts", saying: "does not fit") {
      var bytes = try MappedFile.read("\($0)/spans/cuts")
      bytes[0] ^= 1
      try Data(bytes).write(to: URL(fileURLWithPath: "\($0)/spans/cuts"))
    }
    try expectNoticed("substring", naming: "cuts", saying: "bytes, and was written with") {
      let bytes = try MappedFile.read("\($0)/spans/cuts")
      try Data(bytes.dropLast(24)).write(to: URL(fileURLWithPath: "\($0)/spans/cuts"))
    }
    try expectNoticed("unfinished-substring", naming: "text") {
      var bytes = try MappedFile.read("\($0)/spans/text")
      bytes[50] ^= 1
      try Data(bytes).write(to: URL(fileURLWithPath: "\($0)/spans/text"))
    }
  }
}
