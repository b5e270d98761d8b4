import ArgumentParser
import Commands

@main
struct PKMTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pkm-train", abstract: "Trains transformers with product-key memories.",
    discussion: """
      EXAMPLES:
        pkm-train --config pipelines/quickstart.yaml --data runs/quickstart/data -o runs/quickstart/model
        pkm-train eval --checkpoint runs/quickstart/model --split test
        pkm-train generate --checkpoint runs/quickstart/model "The old man looked at"
      """,
    version: "0.1.0",
    subcommands: [Train.self, Eval.self, Generate.self, Inspect.self, Report.self, Bench.self],
    defaultSubcommand: Train.self)

  static func main() { runAsTool() }
}
