import Support
import Yams

/// Reads the YAML of a recipe; every error names the file and, where it is known, the line.
package struct RecipeReader {
  /// nil where there is no file, only settings of a command line.
  package let path: String?

  package init(path: String?) { self.path = path }

  package func failure(_ message: String, _ node: Node?, remedy: String? = nil) -> Failure {
    Failure(.usage, message, file: path, line: node?.mark?.line, remedy: remedy)
  }

  /// The document of the text; nil where it is empty.
  package func compose(_ text: String) throws -> Node? {
    do { return try Yams.compose(yaml: text) } catch let error as YamlError {
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

  /// Throws, with the nearest name, when the key is none of these.
  ///
  /// `place` says where the key stands, as in " in model".
  package func check(_ key: Node, isOneOf names: [String], in place: String = "") throws {
    let name = try scalar(key, "a key")
    guard !names.contains(name) else { return }
    throw failure(
      "unknown key \"\(name)\"\(place)", key, remedy: Suggestion.remedy(for: name, among: names))
  }

  package func mapping(_ node: Node, _ what: String, of content: String) throws -> [(key: Node, value: Node)]
  {
    guard let mapping = node.mapping else { throw failure("\(what) must be a map of \(content)", node) }
    return mapping.map { (key: $0.key, value: $0.value) }
  }

  package func sequence(_ node: Node, _ what: String) throws -> [Node] {
    guard let sequence = node.sequence else { throw failure("\(what) must be a list", node) }
    return Array(sequence)
  }

  package func scalar(_ node: Node, _ what: String) throws -> String {
    guard let scalar = node.scalar, !scalar.string.isEmpty else {
      throw failure("\(what) must be one value", node)
    }
    return scalar.string
  }
}
