import ArgumentParser
import Foundation
import Support

extension ParsableCommand {
  /// The entry of both tools: signals, exit codes and the form of messages are decided here and nowhere else.
  package static func runAsTool() -> Never {
    Interruption.install()
    do {
      var command = try parseAsRoot()
      do {
        try command.run()
      } catch let failure as Failure {
        if failure.kind == .closedPipe { Foundation.exit(0) }
        Log.line("\(_commandName): error: \(failure)")
        Foundation.exit(failure.kind.rawValue)
      }
      Foundation.exit(0)
    } catch {
      exit(withError: error)
    }
  }
}
