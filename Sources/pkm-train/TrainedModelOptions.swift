import ArgumentParser
import Model

/// The options of every command that uses a trained model.
struct TrainedModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Precision of the matrix products: fp32 or bf16 (default: that of training).", valueName: "name"))
  var precision: EngineSettings.Precision?

  @Flag(help: "Use the means of the parameters that train.ema has kept.")
  var average = false
}

extension EngineSettings.Precision: ExpressibleByArgument {}
