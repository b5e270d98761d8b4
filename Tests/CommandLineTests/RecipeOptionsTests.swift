import Foundation
import TestSupport
import Testing

/// The options that a recipe may give are those of the command line.
///
/// Each subcommand declares them beside its flags; here the declarations are compared with the description that the tool
/// generates from the flags themselves.
@Suite(.timeLimit(.minutes(60))) struct RecipeOptionsTests {
  private static let stages = ["normalize", "filter", "dedup", "learn-bpe", "encode", "shard"]

  /// A long flag, as the tool describes it.
  private struct Flag {
    let isFlag: Bool
    let isRepeating: Bool
  }

  /// The tool's description of itself, as far as it is needed here.
  private struct Description: Decodable {
    struct Command: Decodable {
      let commandName: String
      let subcommands: [Command]?
      let arguments: [Argument]?
    }
    struct Argument: Decodable {
      let kind: String
      let isRepeating: Bool
      let names: [Name]?
    }
    struct Name: Decodable {
      let kind: String
      let name: String
    }
    let command: Command
  }

  private func flags(of stage: String) throws -> [String: Flag] {
    let output = try Tool.data("--experimental-dump-help").output
    let description = try JSONDecoder().decode(Description.self, from: output)
    let command = try #require(description.command.subcommands?.first { $0.commandName == stage })
    var flags: [String: Flag] = [:]
    for argument in command.arguments ?? [] {
      for name in argument.names ?? [] where name.kind == "long" {
        flags[name.name] = Flag(isFlag: argument.kind == "flag", isRepeating: argument.isRepeating)
      }
    }
    return flags
  }

  /// What the plan of a recipe with one option of a stage says.
  private func plan(_ stage: String, _ option: String, _ scratch: Scratch) throws -> String {
    try scratch.write("texts.txt", "one\ntwo\n")
    try scratch.write(
      "recipe.yaml",
      """
      inputs: texts.txt
      output: \(scratch.path("out"))
      stages:
      \(["encode", "shard"].contains(stage) ? "  - learn-bpe\n" : "")\
      \(stage == "shard" ? "  - encode\n" : "")\
        - \(stage): {\(option)}
      """)
    return try Tool.data("run", "--dry-run", scratch.path("recipe.yaml")).errors
  }

  @Test(.long, arguments: stages) func theDeclaredOptionsAreTheFlags(stage: String) throws {
    let scratch = try Scratch()
    let flags = try flags(of: stage)
    // A name that is like no other is answered with the list of all.
    let answer = try plan(stage, "\(String(repeating: "q", count: 40)): 1", scratch)
    let list = try #require(answer.split(separator: "There are: ").last)
    let declared = Set(
      list.split { $0 == "," || $0 == "\n" }.map { $0.trimmingCharacters(in: .whitespaces) })
    #expect(declared.count > 5, "\(answer)")
    #expect(declared.isSubset(of: flags.keys), "\(declared.subtracting(flags.keys))")
    for (name, flag) in flags where !declared.contains(name) {
      let answer = try plan(stage, "\(name): \(flag.isFlag ? "true" : "1")", scratch)
      #expect(answer.contains("\"\(name)\" of \(stage) is set by the run itself"), "\(answer)")
    }
    for name in declared {
      let flag = try #require(flags[name])
      let word = try plan(stage, "\(name): neither", scratch)
      #expect(word.contains("\"\(name)\" of \(stage) is true or false") == flag.isFlag, "\(word)")
      let values = try plan(stage, "\(name): [texts.txt, texts.txt]", scratch)
      #expect(values.contains("\"\(name)\" of \(stage) takes one value") == !flag.isRepeating, "\(values)")
    }
  }
}
