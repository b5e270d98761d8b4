import Foundation
import Support
import TestSupport
import Testing

/// Every method, killed at random moments and started again.
@Suite(.long, .timeLimit(.minutes(60))) struct DedupKillTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let methods = [
    // Runs of sorted records are small with 64 MB, so that there are many finished parts to go on from.
    ["exact", "--work-dir", "work"],
    ["paragraph", "--work-dir", "work"],
    ["minhash"],
    ["minhash", "--work-dir", "work", "--keep", "longest", "--verify"],
    ["substring", "--min-length", "6"],
    // Without a directory these two start over.
    ["exact"],
    ["paragraph"],
  ]

  /// Lines of words of which a third come again, some with another end.
  private func write(_ count: Int, words: Int) throws {
    var random = RandomGenerator(seed: 7)
    func word() -> String {
      String((0..<5).map { _ in Character(Unicode.Scalar(UInt8(97 + random.below(26)))) })
    }
    var text: [String] = []
    for index in 0..<count {
      if index > 0, random.below(3) == 0 {
        let old = text[random.below(index)]
        text.append(random.below(2) == 0 ? old : old.prefix(old.count / 6 * 5) + word())
      } else {
        text.append((0..<words).map { _ in word() }.joined(separator: " "))
      }
    }
    try scratch.write("in.txt", text.joined(separator: "\n") + "\n")
  }

  /// Finished parts of the work, which must not be done again: of each its file's number and when it was written.
  private func parts(_ directory: String) -> [String: String] {
    var parts: [String: String] = [:]
    // A table of documents without its keys is not finished.
    let names = ["hashes", "keys", "pairs", "anchors"]
    for case let path as String in FileManager.default.enumerator(atPath: directory) ?? .init() {
      let name = String(path.split(separator: "/").last!)
      let isRun = names.contains {
        name.hasPrefix($0 + "-") && name.dropFirst($0.count + 1).allSatisfy(\.isNumber)
      }
      let isEnd = ["repeats.json", "signatures.json", "bands.json", "clusters.json", "cuts.json"].contains(
        name)
      guard isRun || isEnd else { continue }
      let attributes = try? FileManager.default.attributesOfItem(atPath: directory + "/" + path)
      parts[path] = "\(attributes?[.systemFileNumber] ?? 0) \(attributes?[.modificationDate] ?? 0)"
    }
    return parts
  }

  @Test(arguments: methods) func killedAtAnyMomentItComesToTheSameBytes(_ method: [String]) throws {
    let isShort = ["exact", "paragraph"].contains(method[0])
    try write(isShort ? 900_000 : 160_000, words: isShort ? 3 : 20)
    let input = scratch.path("in.txt")
    let options = ["dedup", "--memory", "64M", "--quiet", input, "--method"] + method
    func arguments(_ name: String) -> [String] {
      options.map { $0 == "work" ? scratch.path("work-" + name) : $0 } + [
        "--report", scratch.path(name + ".report"), "-o", scratch.path(name),
      ]
    }
    let started = Progress.now()
    #expect(try Tool.data.run(arguments("whole")).status == 0)
    let seconds = Progress.now() - started
    let goesOn = !isShort || method.contains("work")
    let directory = scratch.path(method.contains("work") ? "work-out" : ".out.dedup")
    var random = RandomGenerator(seed: UInt64(method.count + method[0].count))
    var (kills, kept, isDone, patience) = (0, 0, false, 1.0)
    for attempt in 0..<20 where attempt < 6 || kills < 3 {
      // The directory of work that was done is on its way out.
      let before = isDone ? [:] : parts(directory)
      let process = Process()
      process.executableURL = Tool.directory.appendingPathComponent("pkm-data")
      process.arguments = arguments("out")
      try process.run()
      // Some parts later, or at any time.
      let more = random.below(3)
      while goesOn, process.isRunning, parts(directory).count < before.count + more { usleep(2000) }
      usleep(UInt32(seconds * 1e6 * (goesOn ? 0.1 : 0.8) * patience * random.uniform()))
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      let after = parts(directory)
      // The machine has become faster since the first run where it was done before.
      if process.terminationReason == .uncaughtSignal { kills += 1 } else { patience /= 2 }
      // What stands under its name is whole, whether the end of the work was noted or not.
      isDone = FileManager.default.fileExists(atPath: scratch.path("out"))
      if isDone {
        let isSame = try scratch.text("out") == scratch.text("whole")
        #expect(isSame)
        try FileManager.default.removeItem(atPath: scratch.path("out"))
      } else if goesOn {
        let isRedone = before.contains { after[$0.key] != $0.value }
        #expect(!isRedone, "what was finished stays")
        kept = max(kept, before.count)
      }
    }
    let before = parts(directory)
    #expect(try Tool.data.run(arguments("out")).status == 0)
    #expect(kills > 0)
    if goesOn { #expect(max(kept, before.count) > 0, "there was something to go on from") }
    if method.contains("work") {
      let isRedone = parts(directory).contains {
        before[$0.key].map { [now = $0.value] in $0 != now } ?? false
      }
      #expect(!isRedone)
      // The directory belongs to this input alone.
      try scratch.write("in.txt", "other\n")
      #expect(try Tool.data.run(arguments("out")).status == 64)
    } else {
      let remains = try FileManager.default.contentsOfDirectory(atPath: scratch.url.path)
      #expect(!remains.contains { $0.hasSuffix(".dedup") })
    }
    for name in ["", ".report"] {
      let isSame = try scratch.text("out" + name) == scratch.text("whole" + name)
      #expect(isSame, "out\(name)")
    }
  }
}
