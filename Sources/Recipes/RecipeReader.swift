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

  /// Recipes are written by hand; more than this is another file.
  private static let largest = 4 << 20
  /// How often a recipe may refer to what it has named with `&`: each reference may double the whole.
  private static let mostReferences = 24

  /// The text of the file, which must be UTF-8.
  package func text() throws -> String {
    var bytes = try MappedFile.read(path!, atMost: Self.largest)
    // Editors of Windows write a byte order mark, which YAML allows and its parser refuses.
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Failure(.usage, "is not UTF-8 text", file: path, remedy: "Check that this is the recipe")
    }
    return text
  }

  /// The document of the text; nil where it is empty.
  package func compose(_ text: String) throws -> Node? {
    if text.utf8.count > Self.largest || Self.references(in: text) > Self.mostReferences {
      throw Failure(
        .usage,
        text.utf8.count > Self.largest ? "is too large for a recipe" : "has too many references (*name)",
        file: path,
        remedy: "At most \(Self.largest >> 20) MiB and \(Self.mostReferences) references: write the parts out"
      )
    }
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

  /// An upper bound of the references to anchors.
  private static func references(in text: String) -> Int {
    guard text.utf8.contains(UInt8(ascii: "&")) else { return 0 }
    var (count, before) = (0, UInt8(ascii: " "))
    for byte in text.utf8 {
      if byte == UInt8(ascii: "*") && " \t\r\n[,{:-?!".utf8.contains(before) { count += 1 }
      before = byte
    }
    return count
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
    if scalar.string.utf8.contains(0) { throw failure("\(what) contains a NUL character", node) }
    return scalar.string
  }
}
