/// Turns documents into the parts that are split into pre-tokens: added tokens are found, and the text between them is
/// normalized and spaced.
final class TextPreparation: Sendable {
  private let normalizer: TextNormalizer
  private let spacing: Spacing
  /// The tokens that are looked for in text as it is, and in normalized text.
  private let early: AddedTokenMatcher
  private let late: AddedTokenMatcher

  /// Nil where documents are encoded as they are.
  init?(_ tokenizer: Tokenizer, parsesSpecialTokens: Bool) {
    let normalizer = TextNormalizer(tokenizer.normalization)
    self.normalizer = normalizer
    spacing = tokenizer.spacing
    early = AddedTokenMatcher(
      tokenizer.addedTokens.filter { !$0.isNormalized }, parsesSpecialTokens: parsesSpecialTokens)
    late = AddedTokenMatcher(
      tokenizer.addedTokens.filter(\.isNormalized), parsesSpecialTokens: parsesSpecialTokens
    ) { $0.isVerbatim ? Array($0.text.utf8) : normalizer.normalize($0.text) }
    changesText = !tokenizer.normalization.isEmpty || spacing != .none
    if early.isEmpty && late.isEmpty && !changesText { return nil }
  }

  /// Whether parts can differ from the text.
  let changesText: Bool

  /// A part of a document, and the added token after it.
  struct Part {
    let range: Range<Int>
    let token: UInt32?
  }

  /// Calls `body` with the parts of a document that is not changed.
  func forEachPart(of text: UnsafeBufferPointer<UInt8>, in document: Range<Int>, _ body: (Part) -> Void) {
    forEachRawPart(of: text, in: document) { part, token in
      if late.isEmpty { return body(Part(range: part, token: token?.id)) }
      late.forEachPart(of: text, in: part) { inner, found in
        body(Part(range: inner, token: found?.id ?? token?.id))
      }
    }
  }

  func forEachRawPart(
    of text: UnsafeBufferPointer<UInt8>, in document: Range<Int>,
    _ body: (Range<Int>, (id: UInt32, range: Range<Int>)?) -> Void
  ) {
    if early.isEmpty { return body(document, nil) }
    early.forEachPart(of: text, in: document, body)
  }

  /// Whether a document may differ from its parts joined, as far as a quick look tells.
  func changes(_ text: UnsafeBufferPointer<UInt8>, _ documents: [Range<Int>]) -> Bool {
    if !changesText { return false }
    if spacing != .none || !normalizer.keepsASCII { return true }
    return !documents.allSatisfy { TextNormalizer.isASCII(UnsafeBufferPointer(rebasing: text[$0])) }
  }

  /// Documents as changed text.
  struct Prepared {
    /// The parts, and for each added token the bytes that it replaces, so that no document has more ids than bytes.
    var bytes: [UInt8] = []
    var documents: [Range<Int>] = []
    var parts: [Part] = []
    /// The end of the parts of each document.
    var partEnds: [Int] = []
  }

  func prepare(_ text: UnsafeBufferPointer<UInt8>, _ documents: [Range<Int>]) -> Prepared {
    var prepared = Prepared()
    prepared.bytes.reserveCapacity(documents.reduce(64) { $0 + $1.count + $1.count / 2 })
    var buffer: [UInt8] = []
    for document in documents {
      let start = prepared.bytes.count
      var isFirst = true
      forEachRawPart(of: text, in: document) { part, token in
        if !part.isEmpty && late.isEmpty && spacing == .none {
          let first = prepared.bytes.count
          normalizer.append(UnsafeBufferPointer(rebasing: text[part]), to: &prepared.bytes)
          let end = prepared.bytes.count
          if end > first { prepared.parts.append(Part(range: first..<end, token: nil)) }
        } else if !part.isEmpty {
          buffer.removeAll(keepingCapacity: true)
          normalizer.append(UnsafeBufferPointer(rebasing: text[part]), to: &buffer)
          buffer.withUnsafeBufferPointer { normalized in
            appendParts(
              of: normalized, isAtStart: isFirst && part.lowerBound == document.lowerBound, to: &prepared)
          }
        }
        if let token {
          let end = prepared.bytes.count
          prepared.parts.append(Part(range: end..<end, token: token.id))
          prepared.bytes.append(contentsOf: text[token.range])
        }
        isFirst = false
      }
      prepared.documents.append(start..<prepared.bytes.count)
      prepared.partEnds.append(prepared.parts.count)
    }
    return prepared
  }

  /// Appends normalized text that no early token interrupts.
  private func appendParts(
    of text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, to prepared: inout Prepared
  ) {
    if late.isEmpty { return append(text, isAtStart: isAtStart, to: &prepared) }
    var isFirst = true
    late.forEachPart(of: text, in: 0..<text.count) { part, token in
      if !part.isEmpty {
        append(
          UnsafeBufferPointer(rebasing: text[part]), isAtStart: isAtStart && isFirst && part.lowerBound == 0,
          to: &prepared)
      }
      if let token {
        let end = prepared.bytes.count
        prepared.parts.append(Part(range: end..<end, token: token.id))
        prepared.bytes.append(contentsOf: text[token.range])
      }
      isFirst = false
    }
  }

  /// Appends one part, spaced.
  private func append(_ text: UnsafeBufferPointer<UInt8>, isAtStart: Bool, to prepared: inout Prepared) {
    if text.isEmpty { return }
    let start = prepared.bytes.count
    switch spacing {
    case .none: prepared.bytes.append(contentsOf: text)
    case .prefixSpace:
      if text[0] != 0x20 { prepared.bytes.append(0x20) }
      prepared.bytes.append(contentsOf: text)
    case .metaspace(let replacement, let scheme):
      let mark = Array(String(replacement).utf8)
      let begins = text[0] == 0x20 || text.starts(with: mark)
      if !begins && (scheme == .always || scheme == .first && isAtStart) { prepared.bytes += mark }
      TextNormalizer.replace([0x20], with: mark, in: text, into: &prepared.bytes)
    }
    prepared.parts.append(Part(range: start..<prepared.bytes.count, token: nil))
  }
}
