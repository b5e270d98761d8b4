import Foundation
import Model
import Recipes
import Support
import Training
import Yams

/// Reads the sections `model` and `train` of a recipe and applies `--set key.path=value`.
///
/// The same file may hold the sections of `pkm-data run`, which are ignored here.
enum RecipeFile {
  private static let ignoredSections = ["inputs", "output", "stages"]

  /// Throws a usage `Failure` that names the wrong key, and its line in the file or its `--set`.
  ///
  /// - Parameter model: the model that the recipe's own keys change; nil for the defaults.
  static func load(_ path: String?, settings: [String], model: ModelConfiguration? = nil) throws
    -> TrainingRecipe
  {
    var root: Node = [:]
    if let path {
      let reader = RecipeReader(path: path)
      root = try reader.compose(reader.text()) ?? root
    }
    try check(root, path: path)
    let written = root
    if let model { root = try filled(root, with: model) }
    var recipe = Result { try read(root) }
    var blamed: String?
    for setting in settings {
      var changed = root
      let key = try apply(setting, to: &changed)
      do {
        try check(changed, path: nil)
        let next = Result { try read(changed) }
        // The last setting that made a whole recipe a wrong one, or that set the very key that is wrong.
        switch (recipe, next) {
        case (_, .success): blamed = nil
        case (.success, .failure): blamed = setting
        case (.failure, .failure(let failure)) where (failure as? Failure)?.isAbout(key) == true:
          blamed = setting
        default: break
        }
        recipe = next
      } catch let failure as Failure {
        throw Failure(failure.kind, failure.message, file: "--set \(setting)", remedy: failure.remedy)
      }
      root = changed
    }
    do { return try recipe.get() } catch let failure as Failure {
      // The message starts with the key.
      let key = failure.message.prefix { $0 != " " }.split(separator: ".").map(String.init)
      throw Failure(
        failure.kind, failure.message, file: blamed.map { "--set \($0)" } ?? path,
        line: blamed == nil ? line(of: key, in: written) : nil, remedy: failure.remedy)
    }
  }

  /// The recipe with the keys of a model that its own section does not have.
  private static func filled(_ root: Node, with model: ModelConfiguration) throws -> Node {
    func merged(_ base: Node, _ own: Node?) -> Node {
      guard let own else { return base }
      guard base.mapping != nil, let changes = own.mapping else { return own }
      var result = base
      for (key, value) in changes { result[key] = merged(base[key] ?? [:], value) }
      return result
    }
    var root = root
    let base = try Yams.compose(yaml: String(decoding: JSONFile.bytes(of: model), as: UTF8.self)) ?? [:]
    root["model"] = merged(base, root["model"])
    return root
  }

  /// The recipe; throws a failure whose message starts with the key that is wrong.
  private static func read(_ root: Node) throws -> TrainingRecipe {
    let recipe = TrainingRecipe(model: try decode("model", of: root), train: try decode("train", of: root))
    var whole = recipe
    // The tokenizer of the dataset determines the vocabulary size later.
    whole.model.vocabularySize = max(1, whole.model.vocabularySize)
    try whole.validate()
    return recipe
  }

  private static func line(of keys: [String], in node: Node) -> Int? {
    guard let key = keys.first, let pair = node.mapping?.first(where: { $0.key.string == key }) else {
      return nil
    }
    return keys.count == 1 ? pair.key.mark?.line : line(of: Array(keys.dropFirst()), in: pair.value)
  }

  private static func decode<Section: Decodable>(_ name: String, of root: Node) throws -> Section {
    do {
      return try YAMLDecoder().decode(Section.self, from: root[name] ?? [:])
    } catch let error as DecodingError {
      throw explained(error, in: name, of: root)
    }
  }

  /// Sets one key, and returns it.
  private static func apply(_ setting: String, to root: inout Node) throws -> String {
    let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let value = try? RecipeReader(path: nil).compose(parts[1]),
      case let keys = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init),
      !keys.contains("")
    else { throw Failure(.usage, "--set must be key.path=value, not '\(setting)'") }
    set(&root, keys[...], to: value)
    return parts[0]
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
    let reader = RecipeReader(path: path)
    func check(_ node: Node, _ section: String, keys: [String], keysOfOthers: [String] = []) throws {
      for (key, _) in try reader.mapping(node, section, of: "keys and values")
      where !keysOfOthers.contains(key.string ?? "") {
        try reader.check(key, isOneOf: keys, in: " in \(section)")
      }
    }
    try check(root, "the recipe", keys: ["model", "train"], keysOfOthers: ignoredSections)
    if let model = root["model"] {
      try check(model, "model", keys: ModelConfiguration.keys)
      if let memory = model["memory"], memory.null == nil {
        try check(memory, "model.memory", keys: ModelConfiguration.Memory.keys)
      }
    }
    if let train = root["train"] {
      try check(train, "train", keys: TrainingConfiguration.CodingKeys.allCases.map(\.rawValue))
    }
  }

  private static func explained(_ error: DecodingError, in section: String, of root: Node) -> Failure {
    let (context, wanted): (DecodingError.Context, String?) =
      switch error {
      case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
        (context, name(of: type))
      case .dataCorrupted(let context), .keyNotFound(_, let context): (context, nil)
      @unknown default: (.init(codingPath: [], debugDescription: "\(error)"), nil)
      }
    // For an element of a list, the message shows the whole list.
    let keys = [section] + context.codingPath.filter { $0.intValue == nil }.map(\.stringValue)
    let key = keys.joined(separator: ".")
    guard let wanted else { return Failure(.usage, "\(key) has a wrong value: \(context.debugDescription)") }
    let value = keys.reduce(Optional(root)) { $0?[$1] }
    return Failure(
      .usage, "\(key) is \(value.map(shown) ?? "missing")",
      remedy: "Give \(wanted)" + (wanted == wholeNumber ? range(of: key) : ""))
  }

  /// What a whole number may be, to complete a sentence.
  private static func range(of key: String) -> String {
    var model = ModelConfiguration()
    model.memory = ModelConfiguration.Memory()
    let numbers =
      model.wholeNumbers.map { ("model.\($0.key)", $0.range) }
      + TrainingConfiguration().wholeNumbers.map { ("train.\($0.key)", $0.range) }
    if let range = numbers.first(where: { $0.0 == key })?.1 {
      return " from \(range.lowerBound) to \(range.upperBound)"
    }
    return key == "train.seed" ? " from 0 to \(UInt64.max)" : ""
  }

  private static func shown(_ node: Node) -> String {
    if let text = node.scalar?.string { return text.isEmpty ? "empty" : text }
    return node.sequence.map { "[\($0.map(shown).joined(separator: ", "))]" } ?? "a mapping"
  }

  private static let wholeNumber = "a whole number"

  private static func name(of type: Any.Type) -> String {
    switch type {
    case is any BinaryInteger.Type: wholeNumber
    case is any FloatingPoint.Type: "a number"
    case is Bool.Type: "true or false"
    case is String.Type: "a name"
    // What Yams wants where it finds a list or a mapping.
    case is Node.Scalar.Type: "a single value"
    default: "a list, as in [2, 3]"
    }
  }
}

extension Failure {
  /// Whether the message starts with this key.
  fileprivate func isAbout(_ key: String) -> Bool { message.hasPrefix(key + " ") }
}
