import Corpus
import Shards
import Support
import Tokenization

/// Encodes documents as lines of tokens or ids, or as a dataset.
package struct EncodeStage {
  private let options: EncodeOptions

  package init(_ options: EncodeOptions) { self.options = options }

  package func run() throws -> Summary {
    let encoder = try makeEncoder()
    var input = options.input
    // Text that is changed before it is split cannot be cut just anywhere.
    if options.streamsFiles && !encoder.tokenizer.preparesText { input.options.splitting = .stream }
    let pass = DocumentPass(reader: try input.reader(), settings: options.settings, label: "encode")
    var summary =
      switch options.format {
      case .ids: try writeLines(pass) { Self.idLines($0, encoder, &$1) }
      case .tokens: try writeLines(pass) { Self.tokenLines($0, encoder, &$1) }
      case .shards: try writeShards(pass, encoder)
      }
    let ends = options.format == .shards ? summary.count(.documentsOut) : 0
    let tokens = Double(max(1, summary.count(.tokens) - ends))
    summary[.bytesPerToken] = .number(Double(summary.count(.textBytes)) / tokens)
    summary[.tokensPerWord] = .number(tokens / Double(max(1, summary.count(.words))))
    return summary
  }

  private func makeEncoder() throws -> BPEEncoder {
    var tokenizer = try TokenizerFile.loadToEncode(options.tokenizer)
    if let dictionary = options.dictionary {
      tokenizer = try XLMDictionary.apply(MappedFile.read(dictionary), name: dictionary, to: tokenizer)
    }
    if options.format == .tokens && tokenizer.mode == .word && tokenizer.preparesText {
      throw Failure(
        .usage, "its words are not those of the text, so --format tokens cannot mark them",
        file: options.tokenizer,
        remedy: "Use --format ids")
    }
    if options.addsSpecialTokens && tokenizer.postProcessor == nil {
      throw Failure(
        .usage, "has no post_processor, so --add-special has nothing to add", file: options.tokenizer,
        remedy: "Leave --add-special out")
    }
    return BPEEncoder(tokenizer, options: try encodingOptions(tokenizer))
  }

  private func encodingOptions(_ tokenizer: Tokenizer) throws -> EncodingOptions {
    var encoding = EncodingOptions()
    encoding.merges = options.merges
    encoding.dropout = options.dropout
    encoding.seed = options.settings.seed
    if !options.glossaries.isEmpty {
      guard tokenizer.mode == .word else {
        throw Failure(.usage, "--glossaries is for word tokenizers", file: options.tokenizer)
      }
      encoding.glossary = try Glossary(options.glossaries)
    }
    encoding.parsesSpecialTokens = options.parsesSpecialTokens
    encoding.addsSpecialTokens = options.addsSpecialTokens
    if let vocabulary = options.vocabulary {
      encoding.allowed = try SubwordVocabulary(
        MappedFile.read(vocabulary), threshold: options.vocabularyThreshold, tokenizer: tokenizer,
        file: vocabulary)
    }
    return encoding
  }

  /// Bytes and words of each document.
  private static func measure(_ batch: DocumentBatch, _ counts: inout Summary) -> [Int] {
    var words: [Int] = []
    words.reserveCapacity(batch.count)
    batch.forEachDocument { words.append(Words.count(in: $1)) }
    counts.add(.textBytes, batch.textBytes)
    counts.add(.words, words.reduce(0, +))
    return words
  }
}

// Lines of text.
extension EncodeStage {
  private func writeLines(
    _ pass: DocumentPass, _ render: @escaping @Sendable (DocumentBatch, inout Summary) -> [UInt8]
  ) throws -> Summary {
    let file = try OutputFile(options.output, compressionThreads: options.settings.threads)
    var summary = try pass.run(work: render) { try file.write($0) }
    try file.finish()
    summary.add(.documentsOut, summary.count(.documentsIn))
    summary.add(.bytesOut, file.bytesWritten)
    summary.add(.tokens, 0)
    return summary
  }

  private static func idLines(_ batch: DocumentBatch, _ encoder: BPEEncoder, _ counts: inout Summary)
    -> [UInt8]
  {
    _ = measure(batch, &counts)
    let encoded = batch.bytes.withUnsafeBufferPointer {
      encoder.encode($0, documents: batch.ranges, seeds: encoder.seeds(batch))
    }
    counts.add(.tokens, encoded.ids.count)
    addDropped(batch, encoder, &counts)
    if let unknown = encoder.tokenizer.unknown {
      counts.add(.unknownTokens, encoded.ids.reduce(0) { $0 + ($1 == unknown ? 1 : 0) })
    }
    return DecimalIDs.lines(encoded)
  }

  /// Counts characters that have no token and are dropped.
  private static func addDropped(_ batch: DocumentBatch, _ encoder: BPEEncoder, _ counts: inout Summary) {
    guard encoder.dropsCharacters else { return }
    let dropped = batch.bytes.withUnsafeBufferPointer {
      encoder.droppedCharacters(in: $0, documents: batch.ranges)
    }
    counts.add(.charactersWithoutToken, dropped)
  }

  private static func tokenLines(_ batch: DocumentBatch, _ encoder: BPEEncoder, _ counts: inout Summary)
    -> [UInt8]
  {
    _ = measure(batch, &counts)
    let result = batch.bytes.withUnsafeBufferPointer {
      encoder.subwordLines(of: $0, documents: batch.ranges, seeds: encoder.seeds(batch))
    }
    counts.add(.tokens, result.subwordCount)
    if result.replacedLineFeeds > 0 { counts.add(.lineEndsToSpaces, result.replacedLineFeeds) }
    return result.lines
  }
}

// Shards.
extension EncodeStage {
  private enum Encoded: Sendable {
    /// Ids as they are stored on disk.
    case documents([UInt8], [DocumentRow])
    case spans([EncodedSpan])
  }

  private func writeShards(_ pass: DocumentPass, _ encoder: BPEEncoder) throws -> Summary {
    let tokenizer = encoder.tokenizer
    guard let endOfDocument = tokenizer.endOfDocument else {
      throw Failure(
        .badInput, "has no special token that could end a document", file: options.tokenizer,
        remedy: "Learn one with pkm-data learn-bpe, or add \(Tokenizer.endOfText) to its added_tokens")
    }
    let tokenBytes = tokenizer.listedCount <= 1 << 16 ? 2 : 4
    let writer = try DatasetWriter(
      directory: options.output!, tokenizerJSON: try TokenizerJSON.write(tokenizer),
      vocabularySize: tokenizer.listedCount, endOfDocument: Int(endOfDocument), split: options.split,
      shardTokens: options.shardBytes.map { max(1, $0 / tokenBytes) },
      recipe: "# \(Provenance.text)\nencode", level: options.level, threads: options.settings.threads)
    let splitsDocuments = options.parsesSpecialTokens
    var joiner = FileJoiner(
      encoder, writer, endOfDocument: endOfDocument, options: pass.reader.inputs.options)
    var summary = try pass.run(
      work: { batch, counts in
        if batch.source.format == .text && batch.source.splitting == .stream {
          return .spans(batch.ranges.map { EncodedSpan(batch, $0, encoder, tokenBytes: tokenBytes) })
        }
        var batch = batch
        if splitsDocuments {
          let before = batch.count
          batch = encoder.splitting(batch, at: endOfDocument)
          counts.add(.documentsSplit, batch.count - before)
        }
        let words = Self.measure(batch, &counts)
        let encoded = batch.bytes.withUnsafeBufferPointer {
          encoder.encodePacked(
            $0, documents: batch.ranges, terminator: endOfDocument, tokenBytes: tokenBytes,
            seeds: encoder.seeds(batch))
        }
        Self.addDropped(batch, encoder, &counts)
        if encoder.tokenizer.unknown != nil { counts.add(.unknownTokens, encoded.unknown) }
        let rows = batch.ranges.indices.map {
          DocumentRow(tokens: encoded.counts[$0], textBytes: batch.ranges[$0].count, words: words[$0])
        }
        return .documents(encoded.bytes, rows)
      },
      consume: { (encoded: Encoded) in
        switch encoded {
        case .spans(let spans): for span in spans { try joiner.join(span) }
        case .documents(let bytes, let rows):
          try joiner.endFile()
          try bytes.withUnsafeBytes { try writer.append(encoded: $0, rows: rows) }
        }
      })
    try joiner.endFile()
    summary.merge(joiner.counts)
    // The pass has counted each span as a document.
    summary[.documentsIn] = .count(summary.count(.documentsIn) - joiner.spans)
    try pass.check(documents: summary.count(.documentsIn), summary)
    let index = try writer.finish()
    summary.add(.documentsOut, index.shards.reduce(0) { $0 + $1.documents })
    summary.add(.bytesOut, index.shards.reduce(0) { $0 + $1.bytes })
    // The ids that end documents are tokens of the dataset.
    summary[.tokens] = .count(index.shards.reduce(0) { $0 + $1.tokens })
    summary.add(.shards, index.shards.count)
    return summary
  }
}

extension BPEEncoder {
  /// The dropout seed of each document: its file and line, which do not depend on the batches.
  fileprivate func seeds(_ batch: DocumentBatch) -> ((Int) -> UInt64)? {
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
