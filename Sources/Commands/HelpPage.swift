import ArgumentParser

/// The text that `--help` prints: ArgumentParser's, then the details and examples of a ``DocumentedCommand``.
struct HelpPage {
  private static let width = 80

  let text: String

  /// nil if `error` does not ask for the help of `tool` or of one of its subcommands.
  init?(for error: any Error, of tool: any ParsableCommand.Type) {
    let request = tool.fullMessage(for: error, columns: Self.width)
    // Making the pages of all commands to compare with takes 10 ms, which `--version` need not spend.
    guard request.contains("USAGE: ") else { return nil }
    let commands = [tool] + tool.configuration.subcommands
    guard let command = commands.first(where: { tool.helpMessage(for: $0, columns: Self.width) == request })
    else { return nil }
    var sections = [
      request.split(separator: "\n", omittingEmptySubsequences: false).map(Self.wrappedUsage)
        .joined(separator: "\n")
    ]
    if let documented = command as? any DocumentedCommand.Type {
      sections += [("DETAILS", documented.details), ("EXAMPLES", documented.examples)]
        .filter { !$0.1.isEmpty }.map { "\($0):\n\(Self.indented($1))" }
    }
    text = sections.map { Self.trimmed($0) }.joined(separator: "\n\n")
  }

  /// ArgumentParser wraps everything but the usage.
  private static func wrappedUsage(_ line: Substring) -> String {
    let head = "USAGE: "
    guard line.count > width, line.hasPrefix(head) else { return String(line) }
    // A bracketed option and its value stay together.
    var groups: [String] = []
    var depth = 0
    for word in line.dropFirst(head.count).split(separator: " ") {
      if depth > 0 { groups[groups.count - 1] += " " + word } else { groups.append(String(word)) }
      depth += word.count { $0 == "[" } - word.count { $0 == "]" }
    }
    var lines = [head + groups.removeFirst()]
    for group in groups {
      if lines[lines.count - 1].count + 1 + group.count <= width {
        lines[lines.count - 1] += " " + group
      } else {
        lines.append(String(repeating: " ", count: head.count) + group)
      }
    }
    return lines.joined(separator: "\n")
  }

  private static func indented(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.isEmpty ? "" : "  " + $0 }.joined(separator: "\n")
  }

  private static func trimmed(_ text: String) -> Substring {
    var text = text[...]
    while text.last == "\n" { text.removeLast() }
    return text
  }
}
