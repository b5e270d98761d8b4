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

  /// Skips broken lines, which a killed run may leave, and numbers that no run could write.
  init(_ directory: String) throws {
    let path = Path.join(directory, MetricsLog.name)
    guard Path.exists(path) else {
      throw Failure(
        .inputOutput, "holds no \(MetricsLog.name)", file: directory,
        remedy: "Give run directories, the -o of pkm-train train")
    }
    name = Self.shortName(directory)
    recipe = try Checkpoint.all(in: directory).last.map { try Checkpoint($0).recipe }
    for line in try MappedFile.read(path).split(separator: UInt8(ascii: "\n")) {
      guard let object = try? JSONValue(parsing: Array(line)), case .object(let members) = object,
        let step = object[CountName.step.rawValue]?.count,
        let tokens = object[CountName.tokens.rawValue]?.count
      else { continue }
      (self.step, self.tokens) = (step, tokens)
      let split = object[CountName.split.rawValue]?.string
      if let split { evaluatedSplit = split }
      for member in members {
        guard let value = member.value.number, abs(value) <= Self.largestNumber else { continue }
        let name = CountName(String(decoding: member.key, as: UTF8.self))
        if split == nil {
          training[name, default: []].append((Double(tokens), value))
        } else {
          evaluations[name, default: []].append((Double(tokens), value))
        }
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
