import ArgumentParser
import Foundation
import Support

/// A subcommand as a stage of a recipe.
///
/// Its options are those of the command line, asked of the parser itself.
struct StageCommand {
  /// What a stage takes and makes.
  enum Role {
    /// Documents in, documents out, split by split.
    case text
    /// Documents of `train` in, a tokenizer out.
    case learner
    /// Documents and a tokenizer in, a dataset out, split by split.
    case encoder
    /// Datasets in, one dataset out.
    case merger
  }

  let name: String
  let role: Role
  private let type: any ParsableCommand.Type
  private let options: [String: OptionInfo]

  private static let roles: [String: Role] = [
    "normalize": .text, "filter": .text, "dedup": .text, "learn-bpe": .learner, "encode": .encoder,
    "shard": .merger,
  ]

  /// Set by `run` for every stage.
  private static let reserved: Set<String> = [
    "output", "output-format", "format", "threads", "quiet", "summary", "help", "version", "rejected",
    "list-rules", "dry-run", "stage", "clusters", "part", "work-dir",
  ]

  /// Options that name a file whose content decides the result.
  private static let fileOptions: Set<String> = [
    "tokenizer", "codes", "vocab", "counts", "extend", "blocklist", "url-blocklist", "language-model",
    "against", "seen",
  ]

  private struct OptionInfo {
    let isFlag: Bool
    let isRepeating: Bool
    let names: [String]
  }

  /// nil where no subcommand of that name is a stage.
  init?(_ name: String) {
    guard let role = Self.roles[name],
      let type = PKMData.configuration.subcommands.first(where: { $0._commandName == name })
    else { return nil }
    self.name = name
    self.role = role
    self.type = type
    options = Self.options(of: type)
  }

  /// Names of all stages that this build has.
  static var names: [String] { roles.keys.filter { StageCommand($0) != nil }.sorted() }

  /// Whether the command has an option of that name.
  func has(_ option: String) -> Bool { options[option] != nil }

  /// Reads the options off the parser's own description of the command.
  private static func options(of type: any ParsableCommand.Type) -> [String: OptionInfo] {
    struct Tool: Decodable { let command: Command }
    struct Command: Decodable { let arguments: [Argument]? }
    struct Argument: Decodable {
      let kind: String
      let isRepeating: Bool
      let names: [Name]?
    }
    struct Name: Decodable {
      let kind: String
      let name: String
    }
    guard let tool = try? JSONDecoder().decode(Tool.self, from: Data(type._dumpHelp().utf8)) else {
      preconditionFailure("the description of a command has another form than this program knows")
    }
    var options: [String: OptionInfo] = [:]
    for argument in tool.command.arguments ?? [] where argument.kind != "positional" {
      let names = (argument.names ?? []).filter { $0.kind == "long" }.map(\.name)
      for name in names {
        options[name] = OptionInfo(
          isFlag: argument.kind == "flag", isRepeating: argument.isRepeating, names: names)
      }
    }
    return options
  }

  /// The options of a stage as arguments, and the files among their values.
  ///
  /// `recipe` is asked for the form of errors.
  func arguments(for stage: Recipe.Stage, in recipe: Recipe) throws -> (arguments: [String], files: [String])
  {
    var arguments: [String] = []
    var files: [String] = []
    for option in stage.options {
      if Self.reserved.contains(option.name) || role == .encoder && option.name == "split" {
        throw recipe.failure(
          "\"\(option.name)\" of \(name) is set by the run itself", line: option.line, remedy: "Leave it out")
      }
      guard let info = options[option.name] else {
        let names = options.keys.filter { !Self.reserved.contains($0) }
        throw recipe.failure(
          "\(name) has no option \"\(option.name)\"", line: option.line,
          remedy: Suggestion.remedy(for: option.name, among: names))
      }
      switch option.value {
      case .scalar(_, let flag) where info.isFlag:
        guard let flag else {
          throw recipe.failure("\"\(option.name)\" of \(name) is true or false", line: option.line)
        }
        if flag {
          arguments.append("--" + option.name)
        } else if info.names.contains("no-" + option.name) {
          arguments.append("--no-" + option.name)
        }
      case .scalar(let text, _):
        let value = try self.value(text, of: option, in: recipe, files: &files)
        arguments.append("--\(option.name)=\(value)")
      case .list(let values):
        guard info.isRepeating else {
          throw recipe.failure("\"\(option.name)\" of \(name) takes one value, not a list", line: option.line)
        }
        for text in values {
          arguments.append("--\(option.name)=\(try value(text, of: option, in: recipe, files: &files))")
        }
      }
    }
    return (arguments, files)
  }

  /// A value as the command takes it: files lie beside the recipe, and are listed.
  private func value(
    _ text: String, of option: Recipe.Option, in recipe: Recipe, files: inout [String]
  ) throws -> String {
    let at = option.name == "transform" && text.hasPrefix("@") ? "@" : ""
    guard Self.fileOptions.contains(option.name) || !at.isEmpty else { return text }
    let path = Path.join(recipe.directory, String(text.dropFirst(at.count)))
    guard Path.exists(path) else { throw recipe.failure("\(path) does not exist", line: option.line) }
    files.append(path)
    return at + path
  }

  /// The command as the command line would make it of these arguments.
  func parse(_ arguments: [String], for stage: Recipe.Stage, in recipe: Recipe) throws -> any ParsableCommand
  {
    do { return try type.parse(arguments) } catch {
      var message = type.message(for: error)
      if message.hasPrefix("Error: ") { message.removeFirst(7) }
      let option = stage.options.first { message.contains("--" + $0.name) }
      throw recipe.failure("\(name): \(message)", line: option?.line ?? stage.line)
    }
  }
}
