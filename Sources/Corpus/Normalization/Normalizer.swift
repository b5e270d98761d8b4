import CICU
import Support
import Synchronization

/// What normalization does to text.
///
/// The steps, in their order:
/// 1. ``transform``, if any;
/// 2. controls (``cleansControls``): drops control characters other than white space, zero-width and bidirectional
///    formatting characters, soft hyphens, byte order marks and noncharacters. The zero-width joiner and non-joiner stay
///    where they shape the text: after letters of Arabic, Indic and related scripts, and in emoji;
/// 3. the normalization ``form``;
/// 4. ``letterCase``, and the form again;
/// 5. accents (``stripsAccents``): nonspacing marks on Latin, Greek and Cyrillic letters go, other scripts keep theirs
///    (without a form, the text becomes NFC);
/// 6. punctuation (``plainsPunctuation``): typographic quotes, dashes and ellipses to ASCII;
/// 7. white space (``cleansWhitespace``), last because the other steps make some: a run of it becomes one space, or a
///    line end if it holds one, or two if it holds more; it goes at both ends. Line ends are LF, CR, CRLF, VT, FF,
///    U+0085, U+2028 and U+2029; in documents of one line those inside the line become spaces.
///
/// Steps 2 to 7 applied twice are the same as once: where one step makes work for an earlier one, they are repeated.
package struct NormalizationOptions: Sendable, Equatable {
  package enum Form: String, Sendable, CaseIterable { case nfc, nfkc, nfd, nfkd, none }

  package enum LetterCase: String, Sendable, CaseIterable {
    case none
    /// Small letters of the root locale: final sigma is seen, Turkish is not.
    case lower
    /// Unicode's full case folding, for comparing rather than reading.
    case fold
  }

  package var form: Form
  package var letterCase: LetterCase
  package var stripsAccents: Bool
  /// A transliterator of ICU: its name (`Latin-ASCII`) or its rules (`ä > ae;`).
  package var transform: String?
  package var plainsPunctuation: Bool
  package var cleansWhitespace: Bool
  package var cleansControls: Bool
  /// Off, every word goes through ICU: slow, and the judge of the fast path.
  package var usesFastPath = true

  package init(
    form: Form = .nfkc, letterCase: LetterCase = .none, stripsAccents: Bool = false, transform: String? = nil,
    plainsPunctuation: Bool = false, cleansWhitespace: Bool = true, cleansControls: Bool = true
  ) {
    self.form = form
    self.letterCase = letterCase
    self.stripsAccents = stripsAccents
    self.transform = transform
    self.plainsPunctuation = plainsPunctuation
    self.cleansWhitespace = cleansWhitespace
    self.cleansControls = cleansControls
  }
}

/// Normalizes documents, on any number of threads at once.
///
/// Bytes go in and out, never a string: ASCII is copied by vectors, other characters are looked up in a table that ICU
/// fills, and only words in which characters act on each other (a base and its accent) go through ICU itself. Words
/// end at ASCII white space, which no step looks across.
package final class Normalizer: Sendable {
  package let options: NormalizationOptions
  // Engines not in use. There are never more than threads that normalize at once.
  private let idle = Mutex<[Engine]>([])

  private struct Engine: @unchecked Sendable {
    // One thread at a time holds an engine: it is taken from `idle` and put back.
    let pointer: OpaquePointer
  }

  package static var icuVersion: String { String(cString: pkm_icu_version()) }
  package static var unicodeVersion: String { String(cString: pkm_unicode_version()) }

  /// Throws a usage failure when ICU does not know the transform.
  package init(_ options: NormalizationOptions = NormalizationOptions()) throws {
    self.options = options
    let engine = try makeEngine()
    idle.withLock { $0.append(engine) }
  }

  deinit {
    idle.withLock { engines in
      for engine in engines { pkm_normalizer_destroy(engine.pointer) }
    }
  }

  /// The batch with every document normalized: as many documents, in the same order.
  ///
  /// What was dropped is added to the counts (`controls_removed`).
  package func normalize(_ batch: DocumentBatch) throws -> DocumentBatch {
    try withEngine { engine in
      var result = DocumentBatch(
        source: batch.source, lines: batch.lines, counts: batch.counts, warnings: batch.warnings)
      try batch.bytes.withUnsafeBytes { bytes in
        if options.cleansWhitespace, options.transform == nil, let lines = batch.consecutiveLines {
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
          result.bytes = [UInt8](UnsafeRawBufferPointer(start: output.bytes, count: output.length))
          result.takeEnvelopes(of: batch)
        }
      }
      precondition(result.count == batch.count)
      let removed = pkm_normalizer_result(engine).controls_removed
      if removed > 0 { result.counts.add("controls_removed", removed) }
      return result
    }
  }

  /// One document.
  package func normalize(_ text: [UInt8]) throws -> [UInt8] {
    try withEngine { engine in
      try text.withUnsafeBytes { try append($0, isLines: false, to: engine) }
      let output = pkm_normalizer_result(engine)
      return [UInt8](UnsafeRawBufferPointer(start: output.bytes, count: output.length))
    }
  }

  /// The output with its last line end, and its lines.
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
      throw Failure(.failed, "ICU failed to normalize a document of \(text.count) bytes")
    }
  }

  private func withEngine<Result>(_ body: (OpaquePointer) throws -> Result) throws -> Result {
    let engine = try idle.withLock { $0.popLast() } ?? makeEngine()
    defer { idle.withLock { $0.append(engine) } }
    pkm_normalizer_reset(engine.pointer)
    return try body(engine.pointer)
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
    func create(_ transform: UnsafePointer<CChar>?) -> OpaquePointer? {
      var settings = pkm_normalizer_options(
        form: form, letter_case: letterCase, strip_accents: options.stripsAccents,
        plain_punctuation: options.plainsPunctuation, clean_whitespace: options.cleansWhitespace,
        clean_controls: options.cleansControls, transform: transform, has_fast_path: options.usesFastPath)
      return pkm_normalizer_create(&settings, &message, message.count)
    }
    guard let pointer = options.transform.map({ $0.withCString(create) }) ?? create(nil) else {
      let text = String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      throw Failure(.usage, text, remedy: "Names such as Latin-ASCII and rules such as \"ä > ae;\" work")
    }
    return Engine(pointer: pointer)
  }
}

extension DocumentBatch {
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
