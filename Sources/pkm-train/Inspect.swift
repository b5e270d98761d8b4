import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a checkpoint holds.",
    discussion: """
      EXAMPLE
        pkm-train inspect --checkpoint runs/quickstart/model
      """)

  @Option(
    help: ArgumentHelp("Run directory (its newest checkpoint) or checkpoint directory.", valueName: "dir"))
  var checkpoint: String

  func run() throws {
    let checkpoint = try Checkpoint(checkpoint)
    let model = try checkpoint.makeModel(threads: 1, maximumSequences: 1)
    print("\(checkpoint.directory): step \(checkpoint.state.step), \(checkpoint.state.tokens) tokens seen")
    var dense = 0
    var values = 0
    for parameter in model.parameters {
      if parameter.role == .dense { dense += parameter.value.count } else { values += parameter.value.count }
      let shape = parameter.shape.map(String.init).joined(separator: " × ")
      print("  \(parameter.name): \(shape)")
    }
    print("parameters: \(dense) dense, \(values) in memory values, \(dense + values) in all")
  }
}
