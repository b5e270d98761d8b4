import Corpus
import Support
import Tokenization

/// Decodes lines of ids or tokens, as `encode` writes them.
package struct LineDecoder {
  package enum Format: Sendable { case ids, tokens }

  private let inputs: [String]
  private let format: Format
  /// The file of the tokenizer; nil only for the tokens of word mode.
  private let tokenizer: String?
  private let keepsSpecialTokens: Bool
  private let output: DecodeOutput
  private let settings: StageSettings

  package init(
    inputs: [String], format: Format, tokenizer: String?, keepsSpecialTokens: Bool, output: DecodeOutput,
    settings: StageSettings
  ) {
    (self.inputs, self.format, self.tokenizer) = (inputs, format, tokenizer)
    (self.keepsSpecialTokens, self.output, self.settings) = (keepsSpecialTokens, output, settings)
  }

  package func run() throws -> Summary {
    let tokenizer = try self.tokenizer.map(TokenizerFile.load)
    try tokenizer?.checkDecodable(file: self.tokenizer!)
    let file = try OutputFile(output.path, compressionThreads: settings.threads)
    let decoder = tokenizer.map { TokenDecoder($0, keepsSpecialTokens: keepsSpecialTokens) }
    let reader = try DocumentReader(inputs: inputs, options: ReaderOptions(format: .text, splitting: .line))
    let (format, output) = (format, output)
    var summary = try DocumentPass(reader: reader, settings: settings, label: "decode").run(
      work: { batch, counts in
        var lines = ByteBuffer(capacity: 2 * batch.bytes.count + 64)
        var ids: [UInt32] = []
        try batch.forEachDocument { index, line in
          func refuse(at offset: Int, _ what: String) -> Failure {
            Failure(
              .badInput, "\(what) at byte \(offset + 1) of the line", file: batch.source.path,
              line: batch.lines[index], remedy: "Give the output of pkm-data encode and the --format it had")
          }
          let start = lines.count
          if format == .ids {
            if let offset = DecimalIDs.parse(line, into: &ids) { throw refuse(at: offset, "no id") }
            counts.add(.tokens, ids.count)
            do { try ids.withUnsafeBufferPointer { try decoder!.appendDocument($0, to: &lines) } } catch let
              error
              as Failure
            {
              throw Failure(
                error.kind, error.message, file: batch.source.path, line: batch.lines[index],
                remedy: error.remedy)
            }
          } else if let tokenizer, tokenizer.mode == .character {
            var ids: [UInt32] = []
            for token in line.split(separator: 0x20) {
              guard let id = tokenizer.vocabulary.id(of: Array(token)) else {
                throw refuse(at: token.startIndex, "no token of the vocabulary")
              }
              ids.append(id)
            }
            try ids.withUnsafeBufferPointer { try decoder!.appendDocument($0, to: &lines) }
          } else if tokenizer?.mode == .byteLevel {
            var text: [UInt8] = []
            if let offset = SubwordText.joinByteTokens(line, into: &text) {
              throw refuse(at: offset, "no byte-level token")
            }
            lines.append(text)
          } else {
            var text: [UInt8] = []
            SubwordText.joinMarked(line, into: &text)
            lines.append(text)
          }
          output.endDocument(&lines, from: start)
        }
        return lines.withBytes { Array($0) }
      },
      consume: { try file.write($0) })
    try file.finish()
    summary.add(.documentsOut, summary.count(.documentsIn))
    summary.add(.bytesOut, file.bytesWritten)
    return summary
  }
}
