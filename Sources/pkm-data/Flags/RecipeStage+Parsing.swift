import ArgumentParser
import Commands
import Stages

extension RecipeStage where Self: ParsableCommand {
  static func parsed(_ arguments: [String]) throws -> Self {
    do { return try parse(Operands.shortened(arguments)) } catch {
      let message = InvalidValue.explained(Self.message(for: error), arguments: arguments) { arguments in
        do { _ = try parse(arguments) } catch { return Self.message(for: error) }
        return nil
      }
      throw StageRefusal(message.hasPrefix("Error: ") ? String(message.dropFirst(7)) : message)
    }
  }
}
