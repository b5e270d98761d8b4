import Foundation
import Support

/// `metrics.jsonl` in the run directory: one JSON object a logged step or evaluation, appended at once, and the same numbers
/// for TensorBoard.
package final class MetricsLog {
  private let path: String
  private let descriptor: Int32
  private let events: EventFile

  /// Opens for appending.
  ///
  /// On resuming, lines after `step` belong to work that is about to be done again and are removed.
  package init(directory: String, keepingThrough step: Int) throws {
    path = Path.join(directory, Self.name)
    if Path.exists(path) {
      let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
      let kept = lines.filter { line in
        let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        // A line cut off by a kill is no object.
        return (object?["step"] as? Int).map { $0 <= step } ?? false
      }
      if kept.count < lines.count || !kept.isEmpty {
        let file = try OutputFile(path)
        for line in kept { try file.write(line + "\n") }
        try file.finish()
      }
    }
    descriptor = try SystemCall.open(path, O_WRONLY | O_CREAT | O_APPEND)
    events = try EventFile(directory: directory)
  }

  deinit { close(descriptor) }

  package static let name = "metrics.jsonl"

  /// One line.
  ///
  /// `split` names what was evaluated; without it the numbers are of training. Numbers that are not finite
  /// become null.
  package func write(step: Int, tokens: Int, split: String? = nil, _ numbers: [(name: String, value: Double)])
    throws
  {
    var fields = ["\"step\":\(step)", "\"tokens\":\(tokens)"]
    if let split { fields.append("\"split\":\(JSONText.quote(split))") }
    fields += numbers.map { "\(JSONText.quote($0.name)):\($0.value.isFinite ? String($0.value) : "null")" }
    let line = Array("{\(fields.joined(separator: ","))}\n".utf8)
    try line.withUnsafeBytes { try SystemCall.write(descriptor, $0, path: path) }
    try events.write(step: step, scalars: numbers.map { ("\(split ?? "train")/\($0.name)", $0.value) })
  }
}
