import Foundation
import Shards
import Support
import TestSupport
import Testing

/// Runs that are killed, starved of disk, disturbed.
@Suite(.long, .timeLimit(.minutes(60))) struct RunRobustnessTests {
  private func texts(_ scratch: Scratch, documents: Int = 3000) throws {
    let words = ["the", "ship", "sails", "over", "a", "grey", "sea", "and", "nobody", "sleeps."]
    var generator = RandomGenerator(seed: 11)
    func text(_ count: Int) -> String {
      (0..<count).map { _ in
        (0..<(5 + generator.below(60))).map { _ in words[generator.below(words.count)] }.joined(
          separator: " ")
      }.joined(separator: "\n") + "\n"
    }
    try scratch.write("train.txt", text(documents))
    try scratch.write("valid.txt", text(documents / 10))
  }

  private func recipe(_ scratch: Scratch, output: String, merges: Int = 150) throws {
    try scratch.write(
      "recipe.yaml",
      """
      inputs: {train: train.txt, valid: valid.txt}
      output: \(output)
      stages:
        - normalize
        - filter: {min-words: 4}
        - dedup: {method: minhash, seen: [valid]}
        - dedup: {method: paragraph}
        - learn-bpe: {merges: \(merges)}
        - encode
        - shard: {split: {test: 0.1}, shard-size: 20K}
      """)
  }

  /// The files of a dataset; the recipe in its index names the output, which differs.
  private func files(_ path: String) throws -> [String: Data] {
    var files = try SampleDataset.files(path)
    files["index.json"] = files["index.json"].map { data in
      Data(
        String(decoding: data, as: UTF8.self).split(separator: "\n").filter { !$0.contains("\"recipe\"") }
          .joined(separator: "\n").utf8)
    }
    return files
  }

  private static func number(_ variable: String, or standard: Int) -> Int {
    ProcessInfo.processInfo.environment[variable].flatMap { Int($0) } ?? standard
  }

  /// `PKM_RUN_KILLS` and `PKM_RUN_SEED` choose how often and when.
  @Test func killedAtRandomMomentsItEndsWithTheSameBytes() throws {
    let kills = Self.number("PKM_RUN_KILLS", or: 8)
    var generator = RandomGenerator(seed: UInt64(Self.number("PKM_RUN_SEED", or: 5)))
    let scratch = try Scratch()
    try texts(scratch)
    try recipe(scratch, output: scratch.path("out"))
    let started = Progress.now()
    #expect(try Tool.data("run", "--quiet", scratch.path("recipe.yaml")).status == 0)
    let seconds = Progress.now() - started
    let expected = try files(scratch.path("out"))
    func startAnew() throws {
      for path in ["out", "out.work"] { try FileManager.default.removeItem(atPath: scratch.path(path)) }
    }
    try startAnew()
    var killed = 0
    var attempts = 0
    while killed < kills && attempts < 4 * kills {
      attempts += 1
      let process = Process()
      process.executableURL = Tool.directory.appendingPathComponent("pkm-data")
      process.arguments = ["run", scratch.path("recipe.yaml"), "--quiet"]
      try process.run()
      usleep(UInt32(seconds * 1e6 * generator.uniform()))
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      let isDone = process.terminationReason == .exit
      if isDone { #expect(process.terminationStatus == 0) } else { killed += 1 }
      // Whatever has its final name is whole.
      let isThere = FileManager.default.fileExists(atPath: scratch.path("out"))
      if isThere { #expect(try files(scratch.path("out")) == expected, "after \(attempts) attempts") }
      #expect(isThere || !isDone)
      if isDone { try startAnew() }
    }
    #expect(killed > 0)
    #expect(try Tool.data("run", "--quiet", scratch.path("recipe.yaml")).status == 0)
    #expect(try files(scratch.path("out")) == expected)
    let remains = try FileManager.default.subpathsOfDirectory(atPath: scratch.url.path)
    #expect(
      remains.filter { $0.contains(".tmp-") || $0.contains(".dedup") || $0.contains("dataset.new") } == [])
  }

  /// Whether a small file system of one's own can be had.
  private static let canMount: Bool = {
    let scratch = try? Scratch()
    return scratch.flatMap {
      try? runShell("unshare -rm mount -t tmpfs -o size=64k none \(NSTemporaryDirectory())", in: $0.url)
    }?.status == 0
  }()

  @Test(.enabled(if: canMount), arguments: [60, 150, 300, 500]) func aFullDiskCostsNothingButTime(
    kilobytes: Int
  ) throws {
    let scratch = try Scratch()
    try texts(scratch)
    try recipe(scratch, output: scratch.path("reference"))
    #expect(try Tool.data("run", "--quiet", scratch.path("recipe.yaml")).status == 0)
    let expected = try files(scratch.path("reference"))
    try recipe(scratch, output: scratch.path("small/out"))
    try FileManager.default.createDirectory(
      at: scratch.url.appendingPathComponent("small"), withIntermediateDirectories: true)
    try scratch.write(
      "full.sh",
      """
      mount -t tmpfs -o size=\(kilobytes)k none small || exit 3
      pkm-data run --quiet recipe.yaml
      echo $? > status
      find small -name '*.tmp-*' > half
      ls small > after
      mount -o remount,size=200M small
      pkm-data run --quiet recipe.yaml || exit 4
      cp -r small/out continued
      """)
    let result = try runShell("unshare -rm bash full.sh", in: scratch.url)
    #expect(result.status == 0, "\(result.errors)")
    #expect(try scratch.text("status") == "74\n")
    #expect(result.errors.contains("No space left on device. Free some space and run the same command again"))
    #expect(try scratch.text("half") == "")
    #expect(try !scratch.text("after").contains("out\n"))
    #expect(try files(scratch.path("continued")) == expected)
  }

  @Test func aRecipeEditedWhileItRunsCountsTheNextTime() throws {
    let scratch = try Scratch()
    try texts(scratch, documents: 20_000)
    try recipe(scratch, output: scratch.path("out"), merges: 150)
    let process = Process()
    process.executableURL = Tool.directory.appendingPathComponent("pkm-data")
    process.arguments = ["run", "--quiet", scratch.path("recipe.yaml")]
    try process.run()
    while process.isRunning && !FileManager.default.fileExists(atPath: scratch.path("out.work/lock")) {
      usleep(1000)
    }
    try recipe(scratch, output: scratch.path("out"), merges: 10)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(try Dataset(scratch.path("out")).index.recipe?.contains("merges: 150") == true)
    let plan = try Tool.data("run", "--dry-run", scratch.path("recipe.yaml"))
    #expect(plan.text.contains("learn-bpe: would run, its options were --merges=150"))
    #expect(plan.text.contains("dedup train: done"))
    #expect(try Tool.data("run", "--quiet", scratch.path("recipe.yaml")).status == 0)
    #expect(try Dataset(scratch.path("out")).index.recipe?.contains("merges: 10") == true)
  }

  @Test func timesOfFilesDecideNothing() throws {
    let scratch = try Scratch()
    try texts(scratch)
    try recipe(scratch, output: scratch.path("out"))
    #expect(try Tool.data("run", "--quiet", scratch.path("recipe.yaml")).status == 0)
    // The clock was wrong: everything is from the future, or older than what it was made of.
    let touched = try runShell(
      "touch -d 2099-01-01 train.txt recipe.yaml; find out.work out -type f -exec touch -d 1999-01-01 {} +",
      in: scratch.url)
    #expect(touched.status == 0)
    #expect(try Tool.data("run", scratch.path("recipe.yaml")).errors.contains("up to date"))
    // Another content of the same size and time is another content.
    let changed = try runShell(
      "cp -p train.txt old; tr s z < old > train.txt; touch -r old train.txt", in: scratch.url)
    #expect(changed.status == 0)
    let plan = try Tool.data("run", "--dry-run", scratch.path("recipe.yaml"))
    #expect(plan.text.contains("normalize train: would run, its input has changed"))
  }

  @Test func anInputThatIsTouchedWhileTheRecipeRunsIsTheSame() throws {
    let scratch = try Scratch()
    try texts(scratch, documents: 20_000)
    try recipe(scratch, output: scratch.path("out"))
    for (change, status) in [("touch train.txt", 0), ("echo more >> train.txt", 65)] {
      let result = try runShell(
        """
        rm -rf out out.work
        pkm-data run --quiet recipe.yaml & run=$!
        while ! [ -e out.work/lock ] && kill -0 $run; do sleep 0.001; done
        \(change)
        wait $run
        """, in: scratch.url)
      #expect(Int(result.status) == status, "\(change): \(result.errors)")
      if status == 65 { #expect(result.errors.contains("the file changed while the recipe ran")) }
    }
  }
}
