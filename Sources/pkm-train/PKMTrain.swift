import ArgumentParser
import Commands

@main
struct PKMTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pkm-train", abstract: "Trains transformers with product-key memories.", version: "0.1.0",
    subcommands: [Train.self, Eval.self, Generate.self, Inspect.self, Bench.self],
    defaultSubcommand: Train.self)

  static func main() { runAsTool() }
}
