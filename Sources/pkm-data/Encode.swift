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

      The text of a special token inside a document is encoded as ordinary text. In word mode a character that the \
      vocabulary lacks becomes \(Tokenizer.unknownToken) (counted as unknown_tokens); pieces keep it.

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
    } else if split != nil || shardSize != nil {
      throw ValidationError("--split and --shard-size are for --format shards")
    }
  }

  func run() throws {
    let started = Progress.now()
    let encoder = BPEEncoder(try TokenizerFile.load(tokenizer))
    let pass = DocumentPass(reader: try input.reader(), options: options, label: "encode")
    let summary =
      switch chosenFormat {
      case .ids: try writeLines(pass) { Self.idLines($0, encoder, &$1) }
      case .tokens: try writeLines(pass) { Self.tokenLines($0, encoder, &$1) }
      case .shards: try writeShards(pass, encoder)
      }
    try options.report(summary, since: started)
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
    let encoded = batch.bytes.withUnsafeBufferPointer { encoder.encode($0, documents: batch.ranges) }
    counts.add("tokens", encoded.ids.count)
    if let unknown = encoder.tokenizer.unknown {
      counts.add("unknown_tokens", encoded.ids.reduce(0) { $0 + ($1 == unknown ? 1 : 0) })
    }
    return encoded
  }

  private static func idLines(_ batch: DocumentBatch, _ encoder: BPEEncoder, _ counts: inout Summary)
    -> [UInt8]
  {
    let encoded = encode(batch, encoder, &counts)
    var lines: [UInt8] = []
    lines.reserveCapacity(encoded.ids.count * 6)
    for document in 0..<encoded.ends.count {
      encoded.withDocument(document) { TokenText.append(ids: $0, to: &lines) }
      lines.append(UInt8(ascii: "\n"))
    }
    return lines
  }

  private static func tokenLines(_ batch: DocumentBatch, _ encoder: BPEEncoder, _ counts: inout Summary)
    -> [UInt8]
  {
    var lines: [UInt8] = []
    lines.reserveCapacity(batch.bytes.count * 3 / 2)
    batch.bytes.withUnsafeBufferPointer { bytes in
      for range in batch.ranges {
        let start = lines.count
        counts.add(
          "tokens", encoder.appendPieces(of: UnsafeBufferPointer(rebasing: bytes[range]), to: &lines))
        // A document stays a line.
        for index in start..<lines.count where lines[index] == UInt8(ascii: "\n") {
          lines[index] = UInt8(ascii: " ")
          counts.add("line_ends_to_spaces")
        }
        lines.append(UInt8(ascii: "\n"))
      }
    }
    return lines
  }

  private struct EncodedDocuments: Sendable {
    let encoded: EncodedBatch
    let textBytes: [Int]
    let words: [Int]
  }

  private func writeShards(_ pass: DocumentPass, _ encoder: BPEEncoder) throws -> Summary {
    let tokenizer = encoder.tokenizer
    guard let endOfDocument = tokenizer.endOfDocument else {
      throw Failure(
        .badInput, "has no special token that could end a document", file: self.tokenizer,
        remedy: "Learn one with pkm-data learn-bpe, or add \(Tokenizer.endOfText) to its added_tokens")
    }
    let tokenBytes = tokenizer.vocabulary.count <= 1 << 16 ? 2 : 4
    let writer = try DatasetWriter(
      directory: output!, tokenizerJSON: try TokenizerJSON.write(tokenizer),
      vocabularySize: tokenizer.vocabulary.count, endOfDocument: Int(endOfDocument), split: split ?? "train",
      shardTokens: shardSize.map { max(1, $0.bytes / tokenBytes) }, recipe: "# \(PKMData.provenance)\nencode",
      threads: options.threadCount)
    var summary = try pass.run(
      work: { batch, counts in
        let encoded = Self.encode(batch, encoder, &counts)
        var words: [Int] = []
        batch.forEachDocument { words.append(Words.count(in: $1)) }
        return EncodedDocuments(encoded: encoded, textBytes: batch.ranges.map(\.count), words: words)
      },
      consume: { documents in
        for index in documents.words.indices {
          try documents.encoded.withDocument(index) {
            try writer.append($0, textBytes: documents.textBytes[index], words: documents.words[index])
          }
        }
      })
    let index = try writer.finish()
    summary.add("documents_out", index.shards.reduce(0) { $0 + $1.documents })
    summary.add("bytes_out", index.shards.reduce(0) { $0 + $1.bytes })
    // The ids that end the documents are tokens of the dataset.
    summary["tokens"] = .count(index.shards.reduce(0) { $0 + $1.tokens })
    summary.add("shards", index.shards.count)
    return summary
  }
}
