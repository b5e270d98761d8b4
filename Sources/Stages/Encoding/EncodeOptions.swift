import Shards
import Support

/// What `encode` makes of documents.
package struct EncodeOptions: Sendable {
  package enum Format: Sendable { case tokens, ids, shards }

  package var input: CorpusInput
  package var settings: StageSettings
  /// The file of the tokenizer.
  package var tokenizer: String
  package var format: Format
  /// A file, or the directory of a dataset; nil is standard output.
  package var output: String?
  /// The split that the documents form in a dataset.
  package var split = "train"
  /// Uncompressed bytes of a shard; nil is the writer's default.
  package var shardBytes: Int?
  package var level = DatasetWriter.defaultLevel
  /// A dictionary of XLM that numbers the tokens.
  package var dictionary: String?
  /// How many merges are applied; nil: all.
  package var merges: Int?
  package var parsesSpecialTokens = false
  /// Whether the post_processor of the tokenizer puts its ids around each document.
  package var addsSpecialTokens = false
  /// A file of the tokens that may be made, with their counts, and the least count.
  package var vocabulary: String?
  package var vocabularyThreshold = 1
  /// The probability with which a merge is passed over.
  package var dropout = 0.0
  /// Regular expressions of parts of words that stay whole.
  package var glossaries: [String] = []

  package init(
    input: CorpusInput, settings: StageSettings, tokenizer: String, format: Format, output: String?
  ) {
    (self.input, self.settings) = (input, settings)
    (self.tokenizer, self.format, self.output) = (tokenizer, format, output)
  }

  /// Whether a file that is one document is encoded in spans, so that it need not fit into memory.
  ///
  /// Not where only the end of a document decides what becomes of it.
  var streamsFiles: Bool {
    format == .shards && input.options.splitting == .file && input.options.invalid != .drop
      && !parsesSpecialTokens && !addsSpecialTokens && dropout == 0
  }
}
