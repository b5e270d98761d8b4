import Foundation
import Model
import Support
import Training
import Yams

/// The `model` and `train` sections of a recipe, with `--set key.path=value` applied.
///
/// Sections that belong to `pkm-data run` may stand in the same file and are passed over.
enum RecipeFile {
  private static let sectionsOfOthers: Set<String> = ["inputs", "output", "stages"]

  /// Throws a usage `Failure` with the line of the offending key.
  static func load(_ path: String?, settings: [String]) throws -> TrainingRecipe {
    var root: Node = [:]
    if let path {
      guard let text = String(validating: try MappedFile.read(path), as: UTF8.self) else {
        throw Failure(.usage, "is not UTF-8 text", file: path, remedy: "Check --config")
      }
      do { root = try Yams.compose(yaml: text) ?? root } catch {
        throw Failure(.usage, "is not valid YAML: \(error)", file: path)
      }
    }
    for setting in settings { try apply(setting, to: &root) }
    try check(root, path: path)
    let model: ModelConfiguration = try decode("model", of: root, path: path)
    let train: TrainingConfiguration = try decode("train", of: root, path: path)
    try train.validate()
    return TrainingRecipe(model: model, train: train)
  }

  private static func decode<Section: Decodable>(_ name: String, of root: Node, path: String?) throws
    -> Section
  {
    do {
      return try YAMLDecoder().decode(Section.self, from: root[name] ?? [:])
    } catch let error as DecodingError {
      throw Failure(.usage, explain(error, in: name), file: path)
    }
  }

  private static func apply(_ setting: String, to root: inout Node) throws {
    let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let value = try? Yams.compose(yaml: parts[1]) else {
      throw Failure(.usage, "--set wants key.path=value, not '\(setting)'")
    }
    set(&root, parts[0].split(separator: ".").map(String.init)[...], to: value)
  }

  private static func set(_ node: inout Node, _ keys: ArraySlice<String>, to value: Node) {
    guard let key = keys.first else {
      node = value
      return
    }
    if node.mapping == nil { node = [:] }
    var child: Node = node[key] ?? [:]
    set(&child, keys.dropFirst(), to: value)
    node[key] = child
  }

  private static func check(_ root: Node, path: String?) throws {
    guard root.mapping != nil else { throw Failure(.usage, "a recipe is a mapping of keys", file: path) }
    try check(root, keys: ["model", "train"], ignoring: sectionsOfOthers, section: "the recipe", path: path)
    if let model = root["model"] {
      try check(model, keys: ModelConfiguration.keys, section: "model", path: path)
      if let memory = model["memory"], memory.null == nil {
        try check(memory, keys: ModelConfiguration.Memory.keys, section: "model.memory", path: path)
      }
    }
    if let train = root["train"] {
      try check(
        train, keys: TrainingConfiguration.CodingKeys.allCases.map(\.rawValue), section: "train", path: path)
    }
  }

  private static func check(
    _ node: Node, keys: [String], ignoring: Set<String> = [], section: String, path: String?
  ) throws {
    guard let mapping = node.mapping else {
      throw Failure(.usage, "\(section) must be a mapping of keys", file: path, line: node.mark?.line)
    }
    for (key, _) in mapping {
      let name = key.string ?? ""
      if keys.contains(name) || ignoring.contains(name) { continue }
      throw Failure(
        .usage, "unknown key '\(name)' in \(section)", file: path, line: key.mark?.line,
        remedy: "Known keys: " + keys.sorted().joined(separator: ", "))
    }
  }

  private static func explain(_ error: DecodingError, in section: String) -> String {
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context),
      .keyNotFound(_, let context):
      let key = ([section] + context.codingPath.map(\.stringValue)).joined(separator: ".")
      return "the value of '\(key)' is not what it should be: \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }
}
