import Support

/// A subcommand that can be a stage of a recipe.
package protocol RecipeStage: Sendable {
  /// The name of the stage and of the subcommand.
  static var stageName: String { get }
  static var role: RecipeRole { get }
  /// The long flags that a recipe may give.
  static var recipeOptions: [RecipeOption] { get }
  /// The long flags that a run sets itself, or that make no sense in a recipe.
  static var optionsSetByRun: [String] { get }
  /// Parses and validates arguments as the command line does.
  ///
  /// Throws a ``StageRefusal`` where they are wrong.
  static func parsed(_ arguments: [String]) throws -> Self

  /// Whether the stage reads its documents once, from the first to the last, so that it can be connected by pipes.
  var readsOnce: Bool { get }

  /// Whether the seed decides the output.
  var usesSeed: Bool { get }

  /// Whether the option `memory`, where there is one, limits anything.
  var usesMemory: Bool { get }

  /// Runs the stage; the pipes take the place of its input and its output.
  func run(_ pipes: StagePipes) throws -> Summary
}

extension RecipeStage {
  package var usesSeed: Bool { false }
  package var usesMemory: Bool { true }
  package var readsOnce: Bool { true }
}

extension [any RecipeStage.Type] {
  func named(_ name: String) -> (any RecipeStage.Type)? { first { $0.stageName == name } }

  var names: [String] { map { $0.stageName }.sorted() }
}
