import ArgumentParser
import Commands
import Stages

@main
struct PKMData: DocumentedCommand {
  static let configuration = CommandConfiguration(
    commandName: "pkm-data", abstract: "Turn raw text into shards of token ids for training.",
    version: Provenance.version,
    subcommands: [
      Normalize.self, Filter.self, Dedup.self, CountWords.self, LearnBPE.self, Encode.self, Decode.self,
      Shard.self, Inspect.self, Verify.self, Export.self, Import.self, ConvertTokenizer.self, Bench.self,
      Run.self,
    ])

  static let details = """
    Commands read files, directories or standard input. They write to -o or to
    standard output, so that they can be joined by pipes. "run" executes a whole
    recipe, and resumes it if it was interrupted.

    A directory stands for all files below it, each directory once. Left out, and
    counted with a word, are pipes and devices, datasets, and files that the
    command itself writes or is given as an option. An input that is an output is
    an error.

    Sizes such as 64K, 256M and 2G are in bytes, in powers of 1024.

    Exit codes: 0 success, 1 failure, 64 usage error, 65 bad input data,
    74 input or output error, 130 interrupted.
    """

  static let examples = """
    cat raw.txt | pkm-data normalize > clean.txt
    pkm-data learn-bpe --merges 8000 clean.txt -o bpe.json
    pkm-data dedup clean.txt | pkm-data encode --tokenizer bpe.json -o shards/
    pkm-data run pipelines/quickstart.yaml
    """

  static func main() { runAsTool() }
}
