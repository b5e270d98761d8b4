import CICU
import Support

/// Normalizes documents on any number of threads at once.
///
/// It works on bytes, never on strings: ASCII is copied a vector at a time, and other characters are looked
/// up in a table that ICU fills. Only words whose characters affect each other (a base letter and its accent)
/// are passed to ICU. Words end at ASCII white space, and no step looks across it.
package final class Normalizer: Sendable {
  package let options: NormalizationOptions
  private let engines = IdlePool<Engine>()

  /// ICU's tables and the buffers of one thread.
  private final class Engine {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { pkm_normalizer_destroy(pointer) }
  }

  package static var icuVersion: String { String(cString: pkm_icu_version()) }
  package static var unicodeVersion: String { String(cString: pkm_unicode_version()) }

  /// Throws a usage failure if ICU does not know the transform.
  package init(_ options: NormalizationOptions = NormalizationOptions()) throws {
    self.options = options
    // Makes the first engine.
    try withEngine { _ in }
  }

  /// The batch with every document normalized, in the same order.
  ///
  /// The number of documents stays the same unless the options split sentences and `sentencesAreDocuments` is
  /// true: then each sentence becomes a document, without the other fields of its original document. Added to
  /// the counts: dropped characters (`controls_removed`) and unassigned code points in the result
  /// (`unassigned_characters`).
  package func normalize(_ batch: DocumentBatch, sentencesAreDocuments: Bool = false) throws -> DocumentBatch
  {
    try withEngine { engine in
      var result = DocumentBatch(
        source: batch.source, lines: batch.lines, counts: batch.counts, warnings: batch.warnings)
      let lines = options.keepsLines ? batch.consecutiveLines : nil
      let isSplit = options.splitsSentences && sentencesAreDocuments
      try batch.bytes.withUnsafeBytes { bytes in
        if let lines {
          try append(UnsafeRawBufferPointer(rebasing: bytes[lines]), isLines: true, to: engine)
          (result.bytes, result.ranges) = Self.lines(pkm_normalizer_result(engine))
        } else {
          let isLine = batch.source.format == .text && batch.source.splitting == .line
          result.ranges.reserveCapacity(batch.count)
          var start = 0
          for range in batch.ranges {
            try append(UnsafeRawBufferPointer(rebasing: bytes[range]), isLines: isLine, to: engine)
            let end = pkm_normalizer_result(engine).length
            result.ranges.append(start..<end)
            start = end
          }
          let output = pkm_normalizer_result(engine)
          result.bytes.reserveCapacity(output.length + batch.envelopeBytes)
          result.bytes.append(contentsOf: UnsafeRawBufferPointer(start: output.bytes, count: output.length))
          if !isSplit { result.takeEnvelopes(of: batch) }
        }
      }
      precondition(result.count == batch.count)
      if isSplit { result.splitLines() }
      let output = pkm_normalizer_result(engine)
      if output.controls_removed > 0 { result.counts.add(.controlsRemoved, output.controls_removed) }
      if output.unassigned > 0 { result.counts.add(.unassignedCharacters, output.unassigned) }
      return result
    }
  }

  /// Normalizes one document.
  package func normalize(_ text: [UInt8]) throws -> [UInt8] {
    try withEngine { engine in
      try text.withUnsafeBytes { try append($0, isLines: false, to: engine) }
      let output = pkm_normalizer_result(engine)
      return [UInt8](UnsafeRawBufferPointer(start: output.bytes, count: output.length))
    }
  }

  /// The output with a line end added, and its lines.
  private static func lines(_ output: pkm_normalizer_output) -> ([UInt8], [Range<Int>]) {
    let bytes = [UInt8](unsafeUninitializedCapacity: output.length + 1) { buffer, count in
      if output.length > 0 { buffer.baseAddress!.update(from: output.bytes, count: output.length) }
      buffer[output.length] = 0x0a
      count = output.length + 1
    }
    return (bytes, bytes.withUnsafeBytes { Bytes.lines(of: $0) })
  }

  private func append(_ text: UnsafeRawBufferPointer, isLines: Bool, to engine: OpaquePointer) throws {
    guard let address = text.baseAddress else { return }
    let bytes = address.assumingMemoryBound(to: UInt8.self)
    if !pkm_normalizer_append(engine, bytes, text.count, isLines) {
      try Interruption.check()
      if MemoryExhaustion.isCause { throw Failure.noMemory("to normalize a document of \(text.count) bytes") }
      throw Failure(.failed, "ICU failed to normalize a document of \(text.count) bytes")
    }
  }

  private func withEngine<Result>(_ body: (OpaquePointer) throws -> Result) throws -> Result {
    try engines.with(orMake: makeEngine) { engine in
      defer { pkm_normalizer_reset(engine.pointer) }
      return try body(engine.pointer)
    }
  }

  private func makeEngine() throws -> Engine {
    let form: pkm_form =
      switch options.form {
      case .none: PKM_FORM_NONE
      case .nfc: PKM_FORM_NFC
      case .nfd: PKM_FORM_NFD
      case .nfkc: PKM_FORM_NFKC
      case .nfkd: PKM_FORM_NFKD
      }
    let letterCase: pkm_case =
      switch options.letterCase {
      case .none: PKM_CASE_NONE
      case .lower: PKM_CASE_LOWER
      case .fold: PKM_CASE_FOLD
      }
    var message = [CChar](repeating: 0, count: 256)
    func create(_ transform: UnsafePointer<CChar>?, _ locale: UnsafePointer<CChar>) -> OpaquePointer? {
      var settings = pkm_normalizer_options(
        form: form, letter_case: letterCase, strip_accents: options.stripsAccents,
        plain_punctuation: options.plainsPunctuation, clean_whitespace: options.cleansWhitespace,
        clean_controls: options.cleansControls, transform: transform, locale: locale,
        split_sentences: options.splitsSentences, tokenize: options.tokenizes,
        has_fast_path: options.usesFastPath, is_interrupted: { Interruption.isRaised })
      return pkm_normalizer_create(&settings, &message, message.count)
    }
    let pointer = options.locale.withCString { locale in
      options.transform.map { $0.withCString { create($0, locale) } } ?? create(nil, locale)
    }
    guard let pointer else {
      let text = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      if text.contains("U_MEMORY_ALLOCATION_ERROR") { throw Failure.noMemory("for the data of ICU") }
      throw Failure(
        .usage, text,
        remedy: "Locales are named like tr or en_GB, transforms like Latin-ASCII or \"ä > ae;\"")
    }
    return Engine(pointer)
  }
}

extension NormalizationOptions {
  /// Whether several lines can be normalized in one call because every line end is kept.
  fileprivate var keepsLines: Bool { cleansWhitespace && transform == nil && !splitsSentences }
}

extension DocumentBatch {
  /// Makes each line a document with the line number of its original document.
  fileprivate mutating func splitLines() {
    var (ranges, lines): ([Range<Int>], [Int]) = ([], [])
    for (range, line) in zip(self.ranges, self.lines) {
      let parts = bytes[range].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      for part in parts {
        ranges.append(part.startIndex..<part.endIndex)
        lines.append(line)
      }
    }
    (self.ranges, self.lines) = (ranges, lines)
  }

  /// Copies the JSON around the texts from a batch of the same documents.
  mutating func takeEnvelopes(of batch: DocumentBatch) {
    envelopes.reserveCapacity(batch.envelopes.count)
    for envelope in batch.envelopes {
      let start = bytes.count
      bytes += batch.bytes[envelope.before]
      let middle = bytes.count
      bytes += batch.bytes[envelope.after]
      envelopes.append(JSONEnvelope(before: start..<middle, after: middle..<bytes.count, isVerbatim: false))
    }
  }
}
