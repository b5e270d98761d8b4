import ArgumentParser
import Commands

@main
struct PKMData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pkm-data", abstract: "Raw text to training shards.", version: "0.1.0",
    subcommands: [
      Normalize.self, Dedup.self, LearnBPE.self, Encode.self, Decode.self, Shard.self, Inspect.self,
      Verify.self, Run.self,
    ])

  static func main() { runAsTool() }
}
