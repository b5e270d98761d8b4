import ArgumentParser
import Stages

extension RecipeStage where Self: ParsableCommand {
  static func parsed(_ arguments: [String]) throws -> Self {
    do { return try parse(arguments) } catch {
      let message = message(for: error)
      throw StageRefusal(message.hasPrefix("Error: ") ? String(message.dropFirst(7)) : message)
    }
  }
}
