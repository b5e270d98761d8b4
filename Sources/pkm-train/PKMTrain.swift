import ArgumentParser
import Commands
import Support

@main
struct PKMTrain: DocumentedCommand {
  static let configuration = CommandConfiguration(
    commandName: "pkm-train", abstract: "Train and use transformers with product-key memory layers.",
    version: CodeVersion.current,
    subcommands: [
      Train.self, Eval.self, Score.self, Generate.self, Config.self, LearningRateRange.self, Inspect.self,
      Report.self, Bench.self,
    ],
    defaultSubcommand: Train.self)

  static let details = """
    Exit codes: 0 success, 1 failure, 64 usage error, 65 bad input data,
    74 input or output error, 130 interrupted.
    """

  static let examples = """
    pkm-train --config pipelines/quickstart.yaml --data runs/quickstart/data \\
      -o runs/quickstart/model
    pkm-train eval --checkpoint runs/quickstart/model --split test
    pkm-train generate --checkpoint runs/quickstart/model "The old man looked at"
    """

  static func main() { runAsTool() }
}
