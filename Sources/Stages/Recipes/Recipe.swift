import Recipes
import Shards
import Support
import Yams

/// A data recipe as written: what goes in, what happens to it in which order, where the dataset goes.
///
/// ```yaml
/// inputs: {train: texts/train.jsonl.zst, valid: texts/valid.jsonl.zst}  # or a path, or a list: split train
/// output: runs/novels/data
/// stages:
///   - normalize: {form: nfkc}
///   - dedup: {method: exact}
///   - learn-bpe: {merges: 8000}
///   - encode
///   - shard: {split: {test: 0.01}}
/// ```
/// Inputs are relative to the recipe's directory (the current one for a recipe from a pipe) and may be files, directories or
/// patterns (`texts/*.txt`); the output is relative to the current directory. The options of a stage are the long flags of
/// the subcommand of its name. The option `seen` of dedup also takes splits, whose documents are removed from the others.
package struct Recipe {
  struct Option {
    let name: String
    let value: Value
    let line: Int?
  }

  enum Value {
    /// As written, and what it means if the option is a flag.
    case scalar(String, flag: Bool?)
    case list([String])
  }

  struct Stage {
    let name: String
    let options: [Option]
    let line: Int?
  }

  struct Input {
    /// As written: a file, a directory or a pattern.
    let path: String
    let line: Int?
  }

  package let path: String
  /// The recipe as YAML, as the index of its dataset holds it.
  package let text: String
  /// The inputs of each split, in the order of the split names.
  let inputs: [(split: String, paths: [Input])]
  let output: String
  let stages: [Stage]

  /// What paths in the recipe are relative to: the current directory where the recipe comes through a pipe.
  var directory: String {
    // The name of a stream says nothing of a directory, even where it has been redirected to a file.
    let isStream = ["/dev/stdin", "/dev/fd/", "/proc/self/fd/"].contains { path.hasPrefix($0) }
    return Path.isRegularFile(path) && !isStream ? Path.directory(of: path) : "."
  }

  func failure(_ message: String, line: Int?, remedy: String? = nil) -> Failure {
    Failure(.usage, message, file: path, line: line, remedy: remedy)
  }
}

extension Recipe {
  /// Their numbers have two digits, and one may be added at the end.
  private static let mostStages = 98
  private static let keys = ["inputs", "output", "stages"]
  private static let content = "A recipe has inputs, output and stages"
  /// One file may serve both tools: these sections are for `pkm-train train --config`.
  private static let keysOfTraining = ["model", "train"]

  package static func read(_ path: String) throws -> Recipe {
    let reader = RecipeReader(path: path)
    let text = try reader.text()
    guard let document = try reader.compose(text) else {
      throw reader.failure("the recipe is empty", nil, remedy: content)
    }
    let root = try reader.mapping(document, "a recipe", of: "inputs, output and stages")
    for (key, _) in root { try reader.check(key, isOneOf: keys + keysOfTraining) }
    func value(_ key: String) throws -> Node {
      guard let value = root.first(where: { $0.key.string == key })?.value else {
        throw reader.failure("the key \"\(key)\" is missing", nil, remedy: content)
      }
      return value
    }
    let output = try reader.scalar(value("output"), "output")
    let inputs = try reader.inputs(value("inputs"))
    let stages = try reader.sequence(value("stages"), "stages").map(reader.stage)
    if stages.isEmpty { throw reader.failure("there are no stages", try value("stages")) }
    if stages.count > mostStages {
      throw reader.failure(
        "there are \(stages.count) stages, and at most \(mostStages) can be", try value("stages"))
    }
    // Sections that do not shape the dataset are no part of its recipe.
    let shaping = root.filter { !keysOfTraining.contains($0.key.string ?? "") }
    return Recipe(
      path: path, text: try Yams.serialize(node: Node(shaping.map { ($0.key, $0.value) })), inputs: inputs,
      output: output, stages: stages)
  }
}

// The parts of a data recipe.
extension RecipeReader {
  private func paths(_ node: Node) throws -> [Recipe.Input] {
    func input(_ node: Node) throws -> Recipe.Input {
      Recipe.Input(path: try scalar(node, "an input"), line: node.mark?.line)
    }
    guard let sequence = node.sequence else { return [try input(node)] }
    if sequence.isEmpty { throw failure("a split without inputs", node) }
    return try sequence.map(input)
  }

  fileprivate func inputs(_ node: Node) throws -> [(split: String, paths: [Recipe.Input])] {
    guard node.mapping != nil else { return [("train", try paths(node))] }
    let splits = try mapping(node, "inputs", of: "splits and their paths").map { key, value in
      (split: try scalar(key, "the name of a split"), paths: try paths(value))
    }
    if splits.isEmpty { throw failure("there are no inputs", node) }
    for (split, paths) in splits where !DatasetIndex.isValidSplitName(split) {
      throw Failure(
        .usage, "\"\(split)\" is not a valid name for a split", file: path, line: paths.first?.line,
        remedy: "Use letters, digits, - and _, as in train, valid, test")
    }
    return splits.sorted { $0.split < $1.split }
  }

  fileprivate func stage(_ node: Node) throws -> Recipe.Stage {
    if let scalar = node.scalar {
      return Recipe.Stage(name: scalar.string, options: [], line: node.mark?.line)
    }
    let pairs = try mapping(
      node, "a stage", of: "its name and its options, as in \"- dedup: {method: exact}\"")
    guard pairs.count == 1 else {
      throw failure(
        "a stage must be one name with its options, this one has \(pairs.count) keys", node,
        remedy: "Indent the options below the name, or write them in braces")
    }
    let (key, value) = pairs[0]
    let name = try scalar(key, "the name of a stage")
    let isEmpty = value.null != nil || value.scalar?.string == ""
    let options =
      isEmpty
      ? []
      : try mapping(value, "the options of \(name)", of: "options and values").map { key, value in
        Recipe.Option(name: try scalar(key, "an option"), value: try optionValue(value), line: key.mark?.line)
      }
    return Recipe.Stage(name: name, options: options, line: key.mark?.line)
  }

  private func optionValue(_ node: Node) throws -> Recipe.Value {
    switch node {
    case .scalar(let scalar): return .scalar(scalar.string, flag: node.bool)
    case .sequence(let sequence): return .list(try sequence.map { try scalar($0, "a value") })
    default:
      let pairs = try mapping(node, "a value", of: "names and values").map { key, value in
        "\(try scalar(key, "a key"))=\(try scalar(value, "a value"))"
      }
      return .scalar(pairs.joined(separator: ","), flag: nil)
    }
  }
}
