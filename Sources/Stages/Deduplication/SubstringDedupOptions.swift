import Corpus

/// Which repeated spans are cut.
package struct SubstringDedupOptions: Sendable {
  package var spans: SpanOptions
  /// The file of the tokenizer in whose tokens spans are measured.
  package var tokenizer: String?

  package init(spans: SpanOptions, tokenizer: String?) { (self.spans, self.tokenizer) = (spans, tokenizer) }
}
