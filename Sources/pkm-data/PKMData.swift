import ArgumentParser
import Commands
import Stages

@main
struct PKMData: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pkm-data", abstract: "Raw text to training shards.",
    discussion: """
      EXAMPLES:
        cat raw.txt | pkm-data normalize | pkm-data learn-bpe --merges 8000 -o bpe.json
        pkm-data normalize raw/ | pkm-data dedup | pkm-data encode --tokenizer bpe.json -o shards/
        pkm-data run pipelines/quickstart.yaml
      """,
    version: Provenance.version,
    subcommands: [
      Normalize.self, Filter.self, Dedup.self, CountWords.self, LearnBPE.self, Encode.self, Decode.self,
      Shard.self, Inspect.self, Verify.self, Export.self, Import.self, ConvertTokenizer.self, Bench.self,
      Run.self,
    ])

  static func main() { runAsTool() }
}
