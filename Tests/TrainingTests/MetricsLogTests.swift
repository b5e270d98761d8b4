import Foundation
import TestSupport
import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct MetricsLogTests {
  @Test func resumingRemovesWhatIsDoneAgain() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
      "metrics-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appendingPathComponent("metrics.jsonl")
    do {
      let log = try MetricsLog(directory: directory.path, keepingThrough: -1)
      for step in [10, 20, 30] { try log.write(step: step, tokens: step * 8, [(.loss, 1 / Double(step))]) }
      try log.write(step: 20, tokens: 160, split: "valid", [(.perplexity, .infinity)])
    }
    // A kill in the middle of a line.
    let handle = try FileHandle(forWritingTo: file)
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(#"{"step":12,"tok"#.utf8))
    try handle.close()

    let resumed = try MetricsLog(directory: directory.path, keepingThrough: 20)
    #expect(resumed.evaluatedSteps == [20])
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    #expect(
      lines == [
        #"{"step":10,"tokens":80,"loss":0.1}"#, #"{"step":20,"tokens":160,"loss":0.05}"#,
        #"{"step":20,"tokens":160,"split":"valid","perplexity":null}"#,
      ])
  }

  /// A step is a number from 0 to 2^53, what JSON's numbers hold exactly.
  @Test func linesWithoutAStepAreRemoved() throws {
    let scratch = try Scratch()
    let kept = [#"{"step":0,"loss":3}"#, #"{"step":9007199254740992,"loss":2}"#]
    let others = [#"{"step":-1,"loss":4}"#, #"{"step":9007199254740993,"loss":1}"#, #"{"loss":5}"#]
    try scratch.write("metrics.jsonl", (others + kept).joined(separator: "\n") + "\n")
    _ = try MetricsLog(directory: scratch.url.path, keepingThrough: 1 << 60)
    let lines = try scratch.text("metrics.jsonl").split(separator: "\n").map(String.init)
    #expect(lines == kept)
  }
}
