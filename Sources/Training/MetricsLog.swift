import Foundation
import Support

/// `metrics.jsonl` in the run directory: one JSON object per logged step or evaluation, appended at once, and the same
/// numbers for TensorBoard.
package final class MetricsLog {
  private let path: String
  private let descriptor: Int32
  private let events: EventFile
  /// Steps whose evaluation is in the log.
  package var evaluatedSteps: Set<Int> { Set(losses.keys) }
  /// The loss of each evaluation by its step; not a number where the log has none.
  package private(set) var losses: [Int: Double]

  /// Opens the log for appending. A resumed run repeats the steps after `step`, so their lines are removed.
  package init(directory: String, keepingThrough step: Int) throws {
    path = Path.join(directory, Self.name)
    var losses: [Int: Double] = [:]
    if Path.exists(path) {
      let text = String(decoding: try MappedFile.readRegular(path), as: UTF8.self)
      let lines = text.split(separator: "\n")
      var unreadable = 0
      let kept = lines.filter { line in
        guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
          let number = object[CountName.step.rawValue] as? Int, (0...1 << 53).contains(number)
        else {
          // A kill may have cut off the last line.
          if line.endIndex < text.endIndex { unreadable += 1 }
          return false
        }
        if number > step { return false }
        if object[CountName.split.rawValue] != nil {
          losses[number] = object[CountName.nll.rawValue] as? Double ?? .nan
        }
        return true
      }
      if unreadable > 0 {
        Log.warn(
          "\(path): removes \(unreadable == 1 ? "a line" : "\(unreadable) lines") without a step from 0 to 2^53"
        )
      }
      if kept.count < lines.count || !kept.isEmpty {
        let file = try OutputFile(path)
        for line in kept { try file.write(line + "\n") }
        try file.finish()
      }
    }
    self.losses = losses
    descriptor = try SystemCall.open(path, O_WRONLY | O_CREAT | O_APPEND)
    events = try EventFile(directory: directory)
  }

  deinit { close(descriptor) }

  package static let name = "metrics.jsonl"

  /// Whether a run has written a line there.
  package static func holdsAnything(in directory: String) -> Bool {
    (try? MappedFile.readRegular(Path.join(directory, name)).isEmpty) == false
  }

  /// Writes one line. `split` names the split that was evaluated; without it the numbers belong to training. Numbers that are
  /// not finite become null.
  package func write(
    step: Int, tokens: Int, split: String? = nil, _ numbers: [(name: CountName, value: Double)]
  ) throws {
    var json = JSONWriter()
    json.object {
      $0.member(CountName.step.rawValue, step)
      $0.member(CountName.tokens.rawValue, tokens)
      if let split { $0.member(CountName.split.rawValue, split) }
      for (name, value) in numbers { $0.member(name.rawValue, value) }
    }
    if split != nil { losses[step] = numbers.first { $0.name == .nll }?.value ?? .nan }
    try (json.bytes + [0x0a]).withUnsafeBytes { try SystemCall.write(descriptor, $0, path: path) }
    try events.write(step: step, scalars: numbers.map { ("\(split ?? "train")/\($0.name)", $0.value) })
  }
}
