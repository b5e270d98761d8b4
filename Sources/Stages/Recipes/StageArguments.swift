import Support

/// The options of a stage in a recipe as arguments of its subcommand.
struct StageArguments {
  private(set) var arguments: [String] = []
  /// The files among the values, whose content decides the result.
  private(set) var files: [String] = []

  /// What the stage writes beside its documents, by option.
  private var outputFiles: [String: String] = [:]

  private let stage: Recipe.Stage
  private let type: any RecipeStage.Type
  private let recipe: Recipe

  init(of stage: Recipe.Stage, for type: any RecipeStage.Type, in recipe: Recipe) throws {
    (self.stage, self.type, self.recipe) = (stage, type, recipe)
    for option in stage.options { try add(option) }
  }

  /// The arguments of the step of one split; nil where there is one split only.
  ///
  /// A file that the stage writes would be written anew by every split, so that of the split has its name:
  /// `removed.train.jsonl`.
  func arguments(of split: String?) -> [String] {
    guard let split else { return arguments }
    return arguments.map { argument in
      guard let (option, path) = outputFiles.first(where: { argument == "--\($0.key)=\($0.value)" }) else {
        return argument
      }
      return "--\(option)=\(Self.path(path, of: split))"
    }
  }

  /// The path of a file that every split writes, with the name of one of them.
  static func path(_ path: String, of split: String) -> String {
    let (directory, name) = (Path.directory(of: path), Path.name(of: path))
    let stem = name.dropFirst().firstIndex(of: ".") ?? name.endIndex
    let own = String(name[..<stem] + ".\(split)" + name[stem...])
    return path.contains("/") ? Path.join(directory, own) : own
  }

  /// What the command declares of an option.
  static func declaration(of option: Recipe.Option, for type: any RecipeStage.Type) -> RecipeOption? {
    type.recipeOptions.first { $0.names.contains(option.name) }
  }

  private mutating func add(_ option: Recipe.Option) throws {
    if type.optionsSetByRun.contains(option.name) {
      throw recipe.failure(
        "\"\(option.name)\" of \(stage.name) is set by the run itself", line: option.line,
        remedy: "Leave it out")
    }
    guard let declared = Self.declaration(of: option, for: type) else {
      throw recipe.failure(
        "\(stage.name) has no option \"\(option.name)\"", line: option.line,
        remedy: Suggestion.remedy(for: option.name, among: type.recipeOptions.flatMap(\.names)))
    }
    switch option.value {
    case .scalar(_, let flag) where declared.kind == .flag:
      guard let flag else {
        throw recipe.failure("\"\(option.name)\" of \(stage.name) is true or false", line: option.line)
      }
      if flag { arguments.append("--" + option.name) }
    case .scalar(let text, _):
      arguments.append("--\(option.name)=\(try value(text, of: option, declared.kind))")
    case .list(let values):
      guard declared.isRepeating else {
        throw recipe.failure(
          "\"\(option.name)\" of \(stage.name) takes one value, not a list", line: option.line)
      }
      for text in values {
        arguments.append("--\(option.name)=\(try value(text, of: option, declared.kind))")
      }
    }
  }

  /// A value as the command takes it: files are relative to the recipe.
  private mutating func value(_ text: String, of option: Recipe.Option, _ kind: RecipeOption.Kind) throws
    -> String
  {
    let mark: String
    switch kind {
    case .flag, .text: return text
    case .outputFile:
      outputFiles[option.name] = text
      return text
    case .textOrFile:
      guard text.hasPrefix("@") else { return text }
      mark = "@"
    case .file, .tokenizer, .documents: mark = ""
    }
    let path = Path.join(recipe.directory, String(text.dropFirst(mark.count)))
    guard Path.exists(path) else { throw recipe.failure("\(path) does not exist", line: option.line) }
    files.append(path)
    return mark + path
  }
}
