import Foundation
import TestSupport
import Testing

/// The help of every command of both tools, as the built tools print it.
@Suite(.timeLimit(.minutes(60))) struct HelpTests {
  /// The verbs that abstracts start with: all are imperatives.
  private static let verbs: Set<String> = [
    "Check", "Continue", "Convert", "Count", "Decode", "Drop", "Encode", "Evaluate", "Export", "Import",
    "Learn",
    "Measure", "Normalize", "Remove", "Run", "Show", "Shuffle", "Train", "Turn", "Write",
  ]

  private struct Page {
    let command: String
    let lines: [String]

    init(_ tool: Tool, _ command: String?) throws {
      self.command = [tool.name, command].compactMap { $0 }.joined(separator: " ")
      let help = try tool.run([command, "--help"].compactMap { $0 })
      #expect(help.status == 0 && help.errors.isEmpty, "\(self.command)")
      lines = help.text.components(separatedBy: "\n")
      if let command { #expect(try tool("help", command).text == help.text, "\(self.command)") }
    }

    /// The lines below a heading, without their indentation.
    func section(_ heading: String) -> [String] {
      guard let start = lines.firstIndex(of: heading + ":") else { return [] }
      return lines[(start + 1)...].prefix { $0.isEmpty || $0.hasPrefix(" ") }.filter { !$0.isEmpty }
        .map { String($0.dropFirst(2)) }
    }

    /// Each example on one line, its continuations joined.
    var examples: [String] {
      section("EXAMPLES").joined(separator: "\n").replacingOccurrences(of: "\\\n", with: "")
        .components(separatedBy: "\n").filter { !$0.isEmpty }
    }
  }

  /// The pages of a tool: its own, then those of the subcommands that it lists.
  private static func pages(of tool: Tool) throws -> [Page] {
    let root = try Page(tool, nil)
    let names = root.section("SUBCOMMANDS").filter { $0.first?.isLowercase == true }
      .map { String($0.prefix { $0 != " " }) }
    #expect(names.count > 5)
    return try [root] + names.map { try Page(tool, $0) }
  }

  @Test(arguments: [Tool.data, Tool.train]) func layout(tool: Tool) throws {
    for page in try Self.pages(of: tool) {
      let usage = page.lines.firstIndex { $0.hasPrefix("USAGE: \(page.command)") }
      #expect(try #require(usage, "\(page.command)") < 20, "\(page.command)")
      let headings = ["USAGE", "OPTIONS", "DETAILS", "EXAMPLES"].compactMap { heading in
        page.lines.firstIndex { $0.hasPrefix(heading + ":") }
      }
      #expect(headings == headings.sorted(), "\(page.command)")
      for line in page.lines where line.count > 80 { Issue.record("\(page.command): \(line)") }
    }
  }

  @Test(arguments: [Tool.data, Tool.train]) func abstractsAreImperative(tool: Tool) throws {
    for page in try Self.pages(of: tool) {
      let words = page.lines[0].split(separator: " ")
      let verb = words[1].trimmingCharacters(in: .punctuationCharacters)
      #expect(words.first == "OVERVIEW:" && Self.verbs.contains(verb), "\(page.lines[0])")
      #expect(page.lines[0].hasSuffix("."), "\(page.lines[0])")
    }
  }

  /// Runs every example in a directory without its files: it must get as far as looking for them.
  @Test(.long, arguments: [Tool.data, Tool.train]) func examplesAreAccepted(tool: Tool) throws {
    let scratch = try Scratch()
    // A file that the shell opens before it starts the command.
    try scratch.write("prompts.txt", "")
    for page in try Self.pages(of: tool) {
      #expect(page.examples.contains { $0.contains(page.command) }, "\(page.command)")
      for line in page.section("EXAMPLES") where line.count > 77 { Issue.record("\(page.command): \(line)") }
      for example in page.examples {
        let result = try runShell(example, in: scratch.url)
        #expect(!result.errors.contains("Usage: "), "\(example): \(result.errors)")
        #expect(!result.errors.contains("syntax error"), "\(example): \(result.errors)")
      }
    }
  }
}
