import Foundation
import Support
import Training

/// The metrics of one run over the tokens it has seen, read from `metrics.jsonl` in the run directory.
struct RunCurves {
  /// One metric (`y`) over the tokens seen (`x`).
  typealias Curve = [(x: Double, y: Double)]

  let name: String
  /// nil if the run has not saved a checkpoint yet.
  let recipe: TrainingRecipe?
  /// The curves by metric.
  private(set) var training: [CountName: Curve] = [:]
  private(set) var evaluations: [CountName: Curve] = [:]
  private(set) var evaluatedSplit = ""
  private(set) var step = 0
  private(set) var tokens = 0

  /// Beyond this nothing is a metric, and a chart cannot be drawn.
  private static let largestNumber = 1e100

  /// Skips a last line that a kill has cut off, and names other lines and numbers that no run could write.
  init(_ directory: String) throws {
    let path = Path.join(directory, MetricsLog.name)
    guard Path.exists(path) else {
      throw Failure(
        .inputOutput, "holds no \(MetricsLog.name)", file: directory,
        remedy: "Give run directories, the -o of pkm-train train")
    }
    name = Self.shortName(directory)
    recipe = try Checkpoint.all(in: directory).last.map { try Checkpoint($0).recipe }
    let bytes = try MappedFile.readRegular(path)
    var (skipped, first) = (0, "")
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated()
    where !line.isEmpty {
      do throws(Unmeasured) { try add(line) } catch {
        // A kill may have cut off the last line.
        if line.endIndex == bytes.endIndex { continue }
        if skipped == 0 { first = "line \(index + 1): \(error.reason)" }
        skipped += 1
      }
    }
    if skipped > 0 {
      let count = skipped == 1 ? "a line is" : "\(skipped) lines are"
      Log.warn("\(path): \(count) no measurement and left out of the report (\(first))")
    }
  }

  /// Why a line of the file is none that a run writes.
  private struct Unmeasured: Error { let reason: String }

  /// Adds the numbers of a line.
  private mutating func add(_ line: ArraySlice<UInt8>) throws(Unmeasured) {
    let object: JSONValue
    do { object = try JSONValue(parsing: Array(line)) } catch {
      throw Unmeasured(reason: (error as? Failure)?.message ?? "not valid JSON")
    }
    guard case .object(let members) = object else { throw Unmeasured(reason: "it is not a JSON object") }
    func count(_ name: CountName) throws(Unmeasured) -> Int {
      guard let value = object[name.rawValue] else { throw Unmeasured(reason: "it has no \(name.rawValue)") }
      if let count = value.count { return count }
      let shown = value.number.map { "\($0)" } ?? "no number"
      throw Unmeasured(reason: "\(name.rawValue) is \(shown), and must be a whole number from 0 to 2^53")
    }
    let (step, tokens) = (try count(.step), try count(.tokens))
    let isOutOfBounds = { (member: JSONValue.Member) in
      member.value.number.map { abs($0) > Self.largestNumber } ?? false
    }
    if let member = members.first(where: isOutOfBounds) {
      let key = Terminal.maskedLine(String(decoding: member.key, as: UTF8.self))
      throw Unmeasured(reason: "\(key) is \(member.value.number!), and must be within 1e100 of 0")
    }
    (self.step, self.tokens) = (step, tokens)
    let split = object[CountName.split.rawValue]?.string
    if let split { evaluatedSplit = split }
    for member in members {
      guard let value = member.value.number else { continue }
      let name = CountName(String(decoding: member.key, as: UTF8.self))
      if split == nil {
        training[name, default: []].append((Double(tokens), value))
      } else {
        evaluations[name, default: []].append((Double(tokens), value))
      }
    }
  }

  /// The last two parts of the path: `novels/memory`.
  private static func shortName(_ directory: String) -> String {
    URL(fileURLWithPath: directory).standardizedFileURL.pathComponents.filter { $0 != "/" }.suffix(2)
      .joined(separator: "/")
  }

  func last(_ evaluation: CountName) -> Double? { evaluations[evaluation]?.last?.y }

  /// The median of the logged speeds.
  var tokensPerSecond: Double? {
    guard let speeds = training[.tokensPerSecond]?.map(\.y).sorted(), !speeds.isEmpty else { return nil }
    return speeds[speeds.count / 2]
  }

  /// The number of parameters outside and inside the memory values.
  var parameters: (dense: Int, values: Int)? {
    recipe.map { recipe in
      recipe.model.parameterDescriptions.reduce(into: (0, 0)) { sum, tensor in
        if tensor.memoryIndex == nil { sum.0 += tensor.count } else { sum.1 += tensor.count }
      }
    }
  }

  /// The recipe with flat keys, such as `train.lr` for `0.00025`.
  var settings: [String: String] { recipe?.settings ?? [:] }
}
