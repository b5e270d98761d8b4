import Support

extension Transformer {
  /// Caches for sequences to generate side by side.
  package func makeCaches(_ count: Int) throws(Failure) -> [KeyValueCache<Scalar>] {
    try KeyValueCache.make(count, configuration, on: device)
  }

  /// A cache for one sequence to generate.
  package func makeCache() throws(Failure) -> KeyValueCache<Scalar> { try makeCaches(1)[0] }

  /// The bytes of ``makeCaches(_:)`` for such a model.
  package static func cacheBytes(_ count: Int, _ configuration: ModelConfiguration, isBF16: Bool) -> Int {
    KeyValueCache<Scalar>.bytes(count, configuration, isBF16: isBF16)
  }

  /// Final hidden states of the next tokens of some sequences, one sequence after another, in evaluation mode:
  /// `counts[i]` of the tokens belong to `caches[i]`.
  ///
  /// The model must have been made without training. The first call takes a prompt, later ones a token each; rows of
  /// logits are counted from the first of these tokens.
  package func extend(
    _ caches: [KeyValueCache<Scalar>], counts: [Int], tokens: UnsafeBufferPointer<Int32>
  ) {
    precondition(!tokens.isEmpty && counts.count == caches.count && counts.reduce(0, +) == tokens.count)
    precondition(zip(caches, counts).allSatisfy { $1 >= 1 && $1 <= $0.remainingCapacity })
    let spans = (0..<configuration.layers).map { block in
      var first = 0
      return zip(caches, counts).map { cache, count in
        defer { first += count }
        return CacheSpan(cache: cache.blocks[block], position: cache.count, rows: first..<first + count)
      }
    }
    run(tokens, sequences: tokens.count, length: 1, mode: .evaluation, spans: spans)
    for (cache, count) in zip(caches, counts) { cache.count += count }
  }

  /// Logits of the first tokens of the last forward pass, one row each of `logits`.
  package func logits(into logits: Matrix<Scalar>) {
    precondition(logits.columns == configuration.vocabularySize && logits.rows <= hidden.rows)
    activations.head.logits(hidden.rows(0..<logits.rows), into: logits, on: device)
  }

  /// Logits of some tokens of the last forward pass, one row each of `logits`; `rows` ascend.
  ///
  /// Moves their final states to the front, over those of other tokens.
  package func logits(rows: [Int], into logits: Matrix<Scalar>) {
    device.moveRowsToFront(rows, of: hidden)
    self.logits(into: logits)
  }
}
