import Foundation
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
/// Inputs are relative to the recipe's directory (the current one for a recipe from a pipe) and may be files, directories or patterns (`texts/*.txt`); the output is
/// relative to the current directory. The options of a stage are the long flags of the subcommand of its name; among the
/// values of `seen`, of dedup, may be splits: what they hold goes from the others.
struct Recipe {
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

  let path: String
  /// The recipe as YAML, kept in the index of the dataset that it makes.
  let text: String
  /// The inputs of each split, in the order of the split names.
  let inputs: [(split: String, paths: [Input])]
  let output: String
  let stages: [Stage]

  /// Where paths in the recipe start from: a recipe that comes through a pipe lies nowhere.
  var directory: String { Path.isRegularFile(path) ? Path.directory(of: path) : "." }

  func failure(_ message: String, line: Int?, remedy: String? = nil) -> Failure {
    Failure(.usage, message, file: path, line: line, remedy: remedy)
  }
}

extension Recipe {
  private static let keys = ["inputs", "output", "stages"]
  /// One file may hold a whole purpose: these sections are for `pkm-train train --config`.
  private static let keysOfTraining = ["model", "train"]

  init(reading path: String) throws {
    let text = String(decoding: try MappedFile.read(path), as: UTF8.self)
    let parser = Parser(path: path)
    let root = try parser.mapping(parser.compose(text), "a recipe", "inputs, output and stages")
    for (key, _) in root { try parser.check(key, isOneOf: Self.keys + Self.keysOfTraining, what: "key") }
    func value(_ key: String) throws -> Node {
      guard let value = root.first(where: { $0.key.string == key })?.value else {
        throw parser.failure(
          "the key \"\(key)\" is missing", nil, remedy: "A recipe has inputs, output and stages")
      }
      return value
    }
    self.path = path
    // What does not shape the dataset is no part of its recipe.
    self.text = try Yams.serialize(
      node: Node(
        root.filter { !Self.keysOfTraining.contains($0.key.string ?? "") }.map { ($0.key, $0.value) }))
    output = try parser.scalar(value("output"), "output")
    inputs = try parser.inputs(value("inputs"))
    stages = try parser.sequence(value("stages"), "stages").map(parser.stage)
    if stages.isEmpty { throw parser.failure("there are no stages", try value("stages")) }
  }
}

/// YAML nodes to the parts of a recipe; every error says the line.
private struct Parser {
  let path: String

  func failure(_ message: String, _ node: Node?, remedy: String? = nil) -> Failure {
    Failure(.usage, message, file: path, line: node?.mark?.line, remedy: remedy)
  }

  func compose(_ text: String) throws -> Node {
    do {
      guard let node = try Yams.compose(yaml: text) else {
        throw failure("the recipe is empty", nil, remedy: "A recipe has inputs, output and stages")
      }
      return node
    } catch let error as YamlError {
      switch error {
      case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
        .composer(_, let problem, let mark, _):
        throw Failure(.usage, "not valid YAML: \(problem)", file: path, line: mark.line)
      case .duplicatedKeysInMapping(let keys, let context):
        let names = keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
        throw Failure(.usage, "the key \(names) is there twice", file: path, line: context.mark.line)
      default: throw Failure(.usage, "not valid YAML: \(error)", file: path)
      }
    }
  }

  func check(_ key: Node, isOneOf names: [String], what: String) throws {
    let name = try scalar(key, "a key")
    guard !names.contains(name) else { return }
    throw failure("unknown \(what) \"\(name)\"", key, remedy: Suggestion.remedy(for: name, among: names))
  }

  func mapping(_ node: Node, _ what: String, _ content: String) throws -> [(key: Node, value: Node)] {
    guard let mapping = node.mapping else { throw failure("\(what) must be a map of \(content)", node) }
    return mapping.map { (key: $0.key, value: $0.value) }
  }

  func sequence(_ node: Node, _ what: String) throws -> [Node] {
    guard let sequence = node.sequence else { throw failure("\(what) must be a list", node) }
    return Array(sequence)
  }

  func scalar(_ node: Node, _ what: String) throws -> String {
    guard let scalar = node.scalar, !scalar.string.isEmpty else {
      throw failure("\(what) must be one value", node)
    }
    return scalar.string
  }

  private func paths(_ node: Node) throws -> [Recipe.Input] {
    func input(_ node: Node) throws -> Recipe.Input {
      Recipe.Input(path: try scalar(node, "an input"), line: node.mark?.line)
    }
    guard let sequence = node.sequence else { return [try input(node)] }
    if sequence.isEmpty { throw failure("a split without inputs", node) }
    return try sequence.map(input)
  }

  func inputs(_ node: Node) throws -> [(split: String, paths: [Recipe.Input])] {
    guard node.mapping != nil else { return [("train", try paths(node))] }
    let splits = try mapping(node, "inputs", "splits and their paths").map { key, value in
      (split: try scalar(key, "the name of a split"), paths: try paths(value))
    }
    if splits.isEmpty { throw failure("there are no inputs", node) }
    return splits.sorted { $0.split < $1.split }
  }

  func stage(_ node: Node) throws -> Recipe.Stage {
    if let scalar = node.scalar {
      return Recipe.Stage(name: scalar.string, options: [], line: node.mark?.line)
    }
    let pairs = try mapping(node, "a stage", "its name and its options, as in \"- dedup: {method: exact}\"")
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
      : try mapping(value, "the options of \(name)", "options and values").map { key, value in
        Recipe.Option(name: try scalar(key, "an option"), value: try optionValue(value), line: key.mark?.line)
      }
    return Recipe.Stage(name: name, options: options, line: key.mark?.line)
  }

  private func optionValue(_ node: Node) throws -> Recipe.Value {
    switch node {
    case .scalar(let scalar): return .scalar(scalar.string, flag: node.bool)
    case .sequence(let sequence): return .list(try sequence.map { try scalar($0, "a value") })
    default:
      let pairs = try mapping(node, "a value", "names and values").map { key, value in
        "\(try scalar(key, "a key"))=\(try scalar(value, "a value"))"
      }
      return .scalar(pairs.joined(separator: ","), flag: nil)
    }
  }
}
