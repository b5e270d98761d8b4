import Shards
import Support
import Tokenization

/// Decodes the documents of a dataset with its own tokenizer.
package struct DatasetDecoder {
  private let path: String
  /// The only split to decode; nil: all, in alphabetical order.
  private let split: String?
  private let keepsSpecialTokens: Bool
  private let output: DecodeOutput
  private let settings: StageSettings

  package init(
    path: String, split: String?, keepsSpecialTokens: Bool, output: DecodeOutput, settings: StageSettings
  ) {
    (self.path, self.split, self.keepsSpecialTokens) = (path, split, keepsSpecialTokens)
    (self.output, self.settings) = (output, settings)
  }

  package func run() throws -> Summary {
    let dataset = try Dataset(path)
    let tokenizer = try TokenizerJSON.read(dataset.tokenizerJSON(), file: dataset.tokenizerPath)
    let names =
      try split.map { name in
        _ = try dataset.totals(of: name)
        return [name]
      } ?? dataset.splits
    let file = try OutputFile(output.path, compressionThreads: settings.threads)
    var summary = Summary()
    for name in names {
      let totals = try dataset.totals(of: name)
      summary.add(.documentsIn, totals.documents)
      summary.add(.tokens, totals.tokens)
    }
    let progress = Progress("decode", unit: " tokens", isQuiet: settings.isQuiet)
    defer { progress.finish() }
    try tokenizer.checkDecodable(file: dataset.tokenizerPath)
    if output.format == .text && !TokenDecoder(tokenizer).needsDocuments {
      try decodeFrames(of: dataset, names, tokenizer, to: file) {
        progress.update(done: $0, of: summary.count(.tokens))
      }
    } else {
      try decodeDocuments(of: dataset, names, tokenizer, to: file) {
        progress.update(done: $0, of: summary.count(.tokens))
      }
    }
    try file.finish()
    summary.add(.documentsOut, summary.count(.documentsIn))
    summary.add(.bytesOut, file.bytesWritten)
    return summary
  }

  /// Decodes to lines of text, frame by frame: a frame need not know where documents begin.
  private func decodeFrames(
    of dataset: Dataset, _ names: [String], _ tokenizer: Tokenizer, to file: OutputFile,
    progress: (Int) -> Void
  ) throws {
    let end = UInt32(dataset.index.endOfDocument)
    let decoder = TokenDecoder(tokenizer, keepsSpecialTokens: keepsSpecialTokens, endOfDocument: end)
    var done = 0
    // Word mode drops the last space of a line, and the line may end in the next frame.
    let isWord = tokenizer.mode == .word
    for name in names {
      let frames = try EncodedFrames(dataset, split: name)
      var next = 0
      var hasSpace = false
      try OrderedPipeline.run(
        threads: settings.threads,
        next: {
          defer { next += 1 }
          return next < frames.count ? next : nil
        },
        work: { index in
          try frames.withFrame(index) { bytes, tokenBytes in
            var text = ByteBuffer(capacity: 8 * bytes.count + 64)
            if tokenBytes == 2 {
              try decoder.append(bytes.bindMemory(to: UInt16.self), to: &text)
            } else {
              try decoder.append(bytes.bindMemory(to: UInt32.self), to: &text)
            }
            return (text.withBytes { Array($0) }, bytes.count / tokenBytes)
          }
        },
        consume: { (text: [UInt8], tokens: Int) in
          done += tokens
          progress(done)
          if !isWord { return try file.write(text) }
          if hasSpace && text.first != 0x0a { try file.write([0x20]) }
          if text.isEmpty { return }
          hasSpace = text.last == 0x20
          try text.withUnsafeBytes {
            try file.write(UnsafeRawBufferPointer(rebasing: hasSpace ? $0.dropLast() : $0[...]))
          }
        })
    }
  }

  private func decodeDocuments(
    of dataset: Dataset, _ names: [String], _ tokenizer: Tokenizer, to file: OutputFile,
    progress: (Int) -> Void
  ) throws {
    let decoder = TokenDecoder(tokenizer, keepsSpecialTokens: keepsSpecialTokens)
    var done = 0
    for name in names {
      try EncodedDocumentReader(dataset, split: name).forEachDocument { tokens, row in
        try Interruption.check()
        var line = ByteBuffer(capacity: 16 * tokens.count + 64)
        try decoder.appendDocument(tokens, to: &line)
        output.endDocument(&line, from: 0)
        try line.withBytes { try file.write($0) }
        done += row.tokens
        progress(done)
      }
    }
  }
}
