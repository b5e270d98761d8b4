import ArgumentParser
import Commands
import Corpus
import Foundation
import Shards
import Support
import Tokenization

struct Encode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Text to tokens, ids or training shards.",
    discussion: """
      ids: decimal ids, a document a line. tokens: pieces of text, a document a line; in word mode fastBPE's form, where \
      @@ marks a piece that does not end its word and every space stays, in byte-level mode GPT-2's byte characters. \
      shards: a dataset directory, each document ended by the end-of-text id.

      The text of a special token inside a document is encoded as ordinary text, unless --parse-special is given. In word \
      mode a character that the vocabulary lacks becomes \(Tokenizer.unknownToken) (counted as unknown_tokens); pieces keep it.

      The summary has words (runs between white space), bytes_a_token and tokens_a_word (the fertility). With --dropout the \
      random choices of a document depend on --seed and its place in the input alone; it is for short words, as its time is \
      quadratic up to 4,096 characters.

      EXAMPLES:
        zcat raw.gz | pkm-data normalize | pkm-data encode --tokenizer bpe.json --format ids
        pkm-data encode --tokenizer bpe.json corpus/*.jsonl.zst -o shards/
        pkm-data encode --codes bpe.codes --format tokens text.txt -o text.bpe
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case tokens, ids, shards }

  @OptionGroup var input: InputOptions

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp(
      "tokenizer.json, codes of fastBPE or subword-nmt, merges.txt, vocab.json or .tiktoken.",
      valueName: "file"))
  var tokenizer: String

  @Option(help: "\(Format.list) (default: shards where the output is or will be a directory, else ids).")
  var format: Format?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Output file or directory (default: standard output).", valueName: "path"))
  var output: String?

  @Option(
    help: ArgumentHelp("shards: the split that the documents form (default: train).", valueName: "name"))
  var split: String?

  @Option(help: ArgumentHelp("shards: uncompressed size of one (default: 256M).", valueName: "size"))
  var shardSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      "shards: level of zstd, smaller and slower from 1 to 19 (default: 0, bytes by frequency only).",
      valueName: "n"))
  var level: Int?

  @Option(
    help: ArgumentHelp(
      "Word mode: number pieces as XLM does, by this file of pieces and counts; others are <unk>.",
      valueName: "file"))
  var dictionary: String?

  @Option(help: ArgumentHelp("Apply only the first n merges.", valueName: "n"))
  var merges: Int?

  @Flag(help: "Encode the text of a special or added token as its id; shards: end-of-text ends a document.")
  var parseSpecial = false

  @Option(
    help: ArgumentHelp(
      "Word mode: pieces and counts of fastBPE getvocab or subword-nmt get-vocab; others are taken apart.",
      valueName: "file"))
  var vocab: String?

  @Option(help: ArgumentHelp("--vocab: the least count of a piece (default: 1).", valueName: "n"))
  var vocabThreshold: Int?

  @Option(
    help: ArgumentHelp(
      "Pass over each possible merge with this probability (BPE-dropout, as subword-nmt does it).",
      valueName: "p"))
  var dropout = 0.0

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Word mode: regular expressions of parts of words that stay whole.", valueName: "pattern"))
  var glossaries: [String] = []

  @OptionGroup var options: RunOptions

  private var chosenFormat: Format {
    if let format { return format }
    guard let output, output != "-" else { return .ids }
    if output.hasSuffix("/") || Path.isDirectory(output) { return .shards }
    return !Path.exists(output) && !Path.name(of: output).contains(".") ? .shards : .ids
  }

  func validate() throws {
    if chosenFormat == .shards {
      if output == nil || output == "-" { throw ValidationError("--format shards needs -o DIRECTORY") }
    } else if split != nil || shardSize != nil || level != nil {
      throw ValidationError("--split, --shard-size and --level are for --format shards")
    }
    if let level, !(0...19).contains(level) { throw ValidationError("--level must be 0 to 19") }
    if !(0...1).contains(dropout) { throw ValidationError("--dropout must be between 0 and 1") }
    if let merges, merges < 0 { throw ValidationError("--merges must be 0 or more") }
    if vocabThreshold != nil && vocab == nil { throw ValidationError("--vocab-threshold needs --vocab") }
  }

  func run() throws {
    let started = Progress.now()
    var tokenizer = try TokenizerFile.load(tokenizer)
    if let dictionary {
      tokenizer = try XLMDictionary.apply(MappedFile.read(dictionary), name: dictionary, to: tokenizer)
    }
    let encoder = BPEEncoder(tokenizer, options: try encodingOptions(tokenizer))
    // A file that is one document goes to shards in pieces, unless it is known only at its end what becomes of it.
    let streams =
      chosenFormat == .shards && input.documents == .file && input.invalid != .drop && !parseSpecial
      && dropout == 0
    let pass = DocumentPass(
      reader: try input.reader(streamsFiles: streams), options: options, label: "encode")
    var summary =
      switch chosenFormat {
      case .ids: try writeLines(pass) { Self.idLines($0, encoder, &$1) }
      case .tokens: try writeLines(pass) { Self.subwordLines($0, encoder, &$1) }
      case .shards: try writeShards(pass, encoder)
      }
    let ends = chosenFormat == .shards ? summary.count("documents_out") : 0
    let tokens = Double(max(1, summary.count("tokens") - ends))
    summary["bytes_a_token"] = .number(Double(summary.count("text_bytes")) / tokens)
    summary["tokens_a_word"] = .number(tokens / Double(max(1, summary.count("words"))))
    try options.report(summary, since: started)
  }

  private func encodingOptions(_ tokenizer: Tokenizer) throws -> EncodingOptions {
    var encoding = EncodingOptions()
    encoding.merges = merges
    encoding.dropout = dropout
    encoding.seed = options.seed
    if !glossaries.isEmpty {
      guard tokenizer.mode == .word else {
        throw Failure(.usage, "--glossaries is for word tokenizers", file: self.tokenizer)
      }
      encoding.glossary = try Glossary(glossaries)
    }
    encoding.parsesSpecialTokens = parseSpecial
    if let vocab {
      encoding.allowed = try SubwordVocabulary(
        MappedFile.read(vocab), threshold: vocabThreshold ?? 1, tokenizer: tokenizer, file: vocab)
    }
    return encoding
  }

  private func writeLines(
    _ pass: DocumentPass, _ render: @escaping @Sendable (DocumentBatch, inout Summary) -> [UInt8]
  ) throws -> Summary {
    let file = try OutputFile(output, compressionThreads: options.threadCount)
    var summary = try pass.run(work: render) { try file.write($0) }
    try file.finish()
    summary.add("documents_out", summary.count("documents_in"))
    summary.add("bytes_out", file.bytesWritten)
    summary.add("tokens", 0)
    return summary
  }

  private static func encode(_ batch: DocumentBatch, _ encoder: BPEEncoder, _ counts: inout Summary)
    -> EncodedBatch
  {
    let encoded = batch.bytes.withUnsafeBufferPointer {
      encoder.encode($0, documents: batch.ranges, seeds: encoder.seeds(batch))
    }
    counts.add("tokens", encoded.ids.count)
    if let unknown = encoder.tokenizer.unknown {
      counts.add("unknown_tokens", encoded.ids.reduce(0) { $0 + ($1 == unknown ? 1 : 0) })
    }
    return encoded
  }

  /// Bytes and words of each document.
  private static func measure(_ batch: DocumentBatch, _ counts: inout Summary) -> [Int] {
    var words: [Int] = []
    words.reserveCapacity(batch.count)
    batch.forEachDocument { words.append(Words.count(in: $1)) }
    counts.add("text_bytes", batch.textBytes)
    counts.add("words", words.reduce(0, +))
    return words
  }

  private static func idLines(_ batch: DocumentBatch, _ encoder: BPEEncoder, _ counts: inout Summary)
    -> [UInt8]
  {
    _ = measure(batch, &counts)
    return DecimalIDs.lines(encode(batch, encoder, &counts))
  }

  private static func subwordLines(_ batch: DocumentBatch, _ encoder: BPEEncoder, _ counts: inout Summary)
    -> [UInt8]
  {
    _ = measure(batch, &counts)
    let result = batch.bytes.withUnsafeBufferPointer {
      encoder.subwordLines(of: $0, documents: batch.ranges, seeds: encoder.seeds(batch))
    }
    counts.add("tokens", result.subwordCount)
    if result.replacedLineFeeds > 0 { counts.add("line_ends_to_spaces", result.replacedLineFeeds) }
    return result.lines
  }

  private enum Encoded: Sendable {
    /// Ids as they lie on disk.
    case documents([UInt8], [DocumentRow])
    case pieces([EncodedPiece])
  }

  private func writeShards(_ pass: DocumentPass, _ encoder: BPEEncoder) throws -> Summary {
    let tokenizer = encoder.tokenizer
    guard let endOfDocument = tokenizer.endOfDocument else {
      throw Failure(
        .badInput, "has no special token that could end a document", file: self.tokenizer,
        remedy: "Learn one with pkm-data learn-bpe, or add \(Tokenizer.endOfText) to its added_tokens")
    }
    let tokenBytes = tokenizer.listedCount <= 1 << 16 ? 2 : 4
    let writer = try DatasetWriter(
      directory: output!, tokenizerJSON: try TokenizerJSON.write(tokenizer),
      vocabularySize: tokenizer.listedCount, endOfDocument: Int(endOfDocument), split: split ?? "train",
      shardTokens: shardSize.map { max(1, $0.bytes / tokenBytes) }, recipe: "# \(PKMData.provenance)\nencode",
      level: level ?? DatasetWriter.defaultLevel, threads: options.threadCount)
    let splitsDocuments = parseSpecial
    var joiner = FileJoiner(
      encoder, writer, endOfDocument: endOfDocument, options: pass.reader.inputs.options)
    var summary = try pass.run(
      work: { batch, counts in
        if batch.source.format == .text && batch.source.splitting == .stream {
          return .pieces(batch.ranges.map { EncodedPiece(batch, $0, encoder, tokenBytes: tokenBytes) })
        }
        var batch = batch
        if splitsDocuments {
          let before = batch.count
          batch = encoder.splitting(batch, at: endOfDocument)
          counts.add("documents_split", batch.count - before)
        }
        let words = Self.measure(batch, &counts)
        let encoded = batch.bytes.withUnsafeBufferPointer {
          encoder.encodePacked(
            $0, documents: batch.ranges, terminator: endOfDocument, tokenBytes: tokenBytes,
            seeds: encoder.seeds(batch))
        }
        if encoder.tokenizer.unknown != nil { counts.add("unknown_tokens", encoded.unknown) }
        let rows = batch.ranges.indices.map {
          DocumentRow(tokens: encoded.counts[$0], textBytes: batch.ranges[$0].count, words: words[$0])
        }
        return .documents(encoded.bytes, rows)
      },
      consume: { (encoded: Encoded) in
        switch encoded {
        case .pieces(let pieces): for piece in pieces { try joiner.join(piece) }
        case .documents(let bytes, let rows):
          try joiner.endFile()
          try bytes.withUnsafeBytes { try writer.append(encoded: $0, rows: rows) }
        }
      })
    try joiner.endFile()
    summary.merge(joiner.counts)
    // A piece is no document.
    summary["documents_in"] = .count(summary.count("documents_in") - joiner.pieces)
    let index = try writer.finish()
    summary.add("documents_out", index.shards.reduce(0) { $0 + $1.documents })
    summary.add("bytes_out", index.shards.reduce(0) { $0 + $1.bytes })
    // The ids that end the documents are tokens of the dataset.
    summary["tokens"] = .count(index.shards.reduce(0) { $0 + $1.tokens })
    summary.add("shards", index.shards.count)
    return summary
  }
}

extension BPEEncoder {
  /// The seed of each document: its file and line, which no batching changes.
  func seeds(_ batch: DocumentBatch) -> ((Int) -> UInt64)? {
    guard options.dropout > 0 else { return nil }
    let source = RandomGenerator.mix(options.seed &+ RandomGenerator.mix(UInt64(batch.source.index)))
    return { RandomGenerator.mix(source &+ UInt64(batch.lines[$0])) }
  }

  /// The batch with documents ended by the text of a special token.
  fileprivate func splitting(_ batch: DocumentBatch, at special: UInt32) -> DocumentBatch {
    var split = DocumentBatch(source: batch.source, bytes: batch.bytes)
    batch.bytes.withUnsafeBufferPointer { bytes in
      for (index, range) in batch.ranges.enumerated() {
        for part in parts(of: bytes, in: range, at: special) {
          split.ranges.append(part)
          split.lines.append(batch.lines[index])
        }
      }
    }
    return split
  }
}
