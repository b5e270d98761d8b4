import ArgumentParser
import Commands
import Corpus
import Shards
import Support
import Tokenization

struct Import: DocumentedCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Import the token files of another trainer as a dataset.")

  static let details = """
    Reads what export writes, and the files of Megatron-LM, llm.c, nanoGPT and
    numpy.save. The format is detected from the content, except nanogpt, which has
    no header. A document ends at its end-of-document id (in llm.c's files it
    starts there), in Megatron's files also where the index says so. A last
    document without that id is imported, too.

    Without --split, a file whose name contains train, val or test goes to the
    split train, valid or test, and any other file to train.

    The ids are decoded once, to count the bytes and words that bits per byte and
    perplexity per word need.
    """

  static let examples = """
    pkm-data import megatron/ --tokenizer gpt2.json -o shards/
    pkm-data import data/train.bin data/val.bin --format nanogpt \\
      --tokenizer gpt2.json -o shards/
    """

  @Argument(
    help: ArgumentHelp(
      "Token files, directories of them, or path prefixes of Megatron's file pairs.", valueName: "input"))
  var givenInputs: [String]
  var inputs: [String] { Operands.all(givenInputs) }

  @Option(help: "Format of the token files (default: detected).") var format: TokenFileFormat?

  @Option(
    help: ArgumentHelp(
      "Tokenizer that made the ids, in any format that encode reads.", valueName: "file"))
  var tokenizer: String

  @Option(help: ArgumentHelp("Id that ends documents (default: the tokenizer's).", valueName: "id"))
  var endOfDocument: UInt32?

  @Option(name: .shortAndLong, help: ArgumentHelp("New dataset directory.", valueName: "directory"))
  var output: String

  @Option(
    help: ArgumentHelp("Split for all documents (default: by file name).", valueName: "name"))
  var split: String?

  @Option(help: ArgumentHelp("Uncompressed size per shard.", valueName: "size"))
  var shardSize = ByteSize(argument: "256M")!

  @OptionGroup var options: RunOptions

  func validate() throws { try options.checkSeed() }

  var files: [OwnFiles.Entry] {
    .directory(output) + options.files + .inputs(inputs) + .option(tokenizer, "--tokenizer")
  }

  func run() throws {
    let started = Progress.now()
    let tokenizer = try TokenizerFile.load(tokenizer)
    guard let endOfDocument = endOfDocument ?? tokenizer.endOfDocument else {
      throw Failure(
        .usage, "has no special token that could end a document", file: self.tokenizer,
        remedy: "Give the id with --end-of-document")
    }
    var sources = try inputs.flatMap { try DatasetImporter.sources($0, format: format, split: split) }
    var summary = Summary()
    let distinct = Set(InputListing.distinct(sources.map(\.path), &summary))
    sources = sources.reduce(into: []) { kept, source in
      if distinct.contains(source.path) && !kept.contains(where: { $0.path == source.path }) {
        kept.append(source)
      }
    }
    let vocabularySize = tokenizer.vocabulary.count
    let writer = try DatasetWriter(
      directory: output, tokenizerJSON: try TokenizerJSON.write(tokenizer), vocabularySize: vocabularySize,
      endOfDocument: Int(endOfDocument), split: sources[0].split,
      shardTokens: max(1, shardSize.bytes / DatasetIndex.tokenBytes(vocabularySize: vocabularySize)),
      recipe: "import", threads: options.threadCount)
    let importer = DatasetImporter(into: writer) { ids in
      let text = try tokenizer.decode(ids)
      return (text.count, text.withUnsafeBytes { Words.count(in: $0) })
    }
    let progress = Progress("import", unit: " files", isQuiet: options.quiet)
    for (number, source) in sources.enumerated() {
      let next = number + 1 < sources.count ? sources[number + 1] : nil
      try importer.add(source, isLast: next?.split != source.split || next?.format != source.format)
      progress.update(done: number + 1, of: sources.count)
    }
    progress.finish()
    let index = try writer.finish()

    summary.add(.files, sources.count)
    summary.add(.documentsIn, importer.documents)
    summary.add(.documentsOut, importer.documents)
    summary.add(.tokens, importer.tokens)
    summary.add(.bytesOut, index.shards.reduce(0) { $0 + $1.bytes })
    for (split, totals) in index.splits.sorted(by: { $0.key < $1.key }) {
      summary.add(.documents(ofSplit: split), totals.documents)
      summary.add(.tokens(ofSplit: split), totals.tokens)
    }
    try options.report(summary, since: started)
  }
}
