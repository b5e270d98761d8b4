import Foundation
import Support
import Synchronization

/// Turns text into the ids of a ``Tokenizer``, exactly as applying its merges one by one in order of rank
/// would.
///
/// The text of a special token is ordinary text, unless the options say otherwise: it is encoded like any
/// other text, never as the special id. (`tokenizers` maps it to that id, and `tiktoken` does so on request.)
/// So no document can contain the end of a document.
///
/// An encoder can be used from several threads; each call borrows an ``EncoderWorker``. The caches of a
/// worker grow with the text up to 36 MB per thread, or 72 MB if both ids and subwords are requested.
package final class BPEEncoder: Sendable {
  package let tokenizer: Tokenizer
  private let wordEncoder: WordEncoder
  private let workers = IdlePool<EncoderWorker>()
  /// The workers that write ends of subwords in place of ids.
  private let cutters = IdlePool<EncoderWorker>()
  /// The tokens in the characters of ``ByteAlphabet``, one after another, and their ends; nil before the first use.
  private let byteTokens = Mutex<(bytes: [UInt8], ends: [Int])?>(nil)

  package init(_ tokenizer: Tokenizer, options: EncodingOptions = EncodingOptions()) {
    self.tokenizer = tokenizer
    wordEncoder = WordEncoder(tokenizer, options)
  }

  /// Encodes documents, each a range of `text`.
  ///
  /// `terminator` follows each document. `seeds` gives the seed of the random choices of each document, so
  /// that dropout does not depend on how documents are divided into batches.
  package func encode(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32? = nil,
    seeds: ((Int) -> UInt64)? = nil
  ) -> EncodedBatch {
    withPrepared(text, documents) { text, documents, prepared in
      var batch = EncodedBatch()
      withWorker { worker in
        batch.ids = [UInt32](unsafeUninitializedCapacity: worker.capacity(for: documents)) { ids, count in
          LargePages.advise(UnsafeMutableRawBufferPointer(ids))
          (count, batch.ends) = worker.encode(
            text, documents: documents, terminator: terminator, seeds: seeds, prepared: prepared,
            into: ids.baseAddress!)
        }
      }
      return batch
    }
  }

  /// Calls `body` with the documents as they are split into pre-tokens: unchanged, or prepared.
  private func withPrepared<Result>(
    _ text: UnsafeBufferPointer<UInt8>, _ documents: [Range<Int>],
    _ body: (UnsafeBufferPointer<UInt8>, [Range<Int>], TextPreparation.Prepared?) -> Result
  ) -> Result {
    guard let preparation = wordEncoder.preparation, preparation.changes(text, documents) else {
      return body(text, documents, nil)
    }
    let prepared = preparation.prepare(text, documents)
    return prepared.bytes.withUnsafeBufferPointer { body($0, prepared.documents, prepared) }
  }

  /// The same in the format of shards.
  package func encodePacked(
    _ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], terminator: UInt32?, tokenBytes: Int,
    seeds: ((Int) -> UInt64)? = nil
  ) -> PackedBatch {
    withPrepared(text, documents) { text, documents, prepared in
      withWorker {
        $0.withIDs(text, documents: documents, terminator: terminator, seeds: seeds, prepared: prepared) {
          ids, ends in
          var start = 0
          let counts = ends.map { end in
            defer { start = end }
            return end - start
          }
          return PackedBatch(
            bytes: PackedBatch.pack(ids, tokenBytes: tokenBytes), counts: counts,
            unknown: tokenizer.unknown.map { unknown in ids.reduce(0) { $0 + ($1 == unknown ? 1 : 0) } } ?? 0)
        }
      }
    }
  }

  /// What a person should know about the speed of a tokenizer, or nil.
  package static func warning(_ tokenizer: Tokenizer) -> String? {
    // What a program splits can be what an encoder cuts faster.
    guard let warning = tokenizer.preTokenizer.warning,
      WordEncoder.characterCuts(of: tokenizer, tokenizer.merges[...]) == nil
    else { return nil }
    return warning
  }

  package var options: EncodingOptions { wordEncoder.options }

  /// The parts of a document between the occurrences of one special token.
  ///
  /// If the document ends with the token, no empty part follows.
  package func parts(of text: UnsafeBufferPointer<UInt8>, in document: Range<Int>, at special: UInt32)
    -> [Range<Int>]
  {
    var parts: [Range<Int>] = []
    var start = document.lowerBound
    // Only the tokens that are looked for in text as it is.
    wordEncoder.preparation?.forEachRawPart(of: text, in: document) { part, found in
      if let found, found.id == special {
        parts.append(start..<max(start, part.upperBound))
        start = found.range.upperBound
      }
    }
    if start < document.upperBound || parts.isEmpty { parts.append(start..<document.upperBound) }
    return parts
  }

  /// Encodes one document.
  package func encode(_ text: [UInt8], seed: UInt64 = 1) -> [UInt32] {
    text.withUnsafeBufferPointer { encode($0, documents: [0..<text.count], seeds: { _ in seed }) }.ids
  }

  /// Documents as subwords in text form, one document per line.
  package struct SubwordLines: Sendable {
    package var lines: [UInt8] = []
    package var subwordCount = 0
    /// The line feeds inside documents that became spaces, so that each document is one line.
    package var replacedLineFeeds = 0
  }

  /// Writes documents as subwords, one document per line.
  ///
  /// Word mode: fastBPE's form, every subword but the last of a word followed by `@@` and a space, the
  /// separators of the text as they are. Byte-level: tokens in GPT-2's byte characters, separated by spaces.
  package func subwordLines(
    of text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>], seeds: ((Int) -> UInt64)? = nil
  ) -> SubwordLines {
    tokenizer.mode == .word ? markedPieces(text, documents, seeds) : byteTokenLines(text, documents, seeds)
  }

  private func markedPieces(
    _ text: UnsafeBufferPointer<UInt8>, _ documents: [Range<Int>], _ seeds: ((Int) -> UInt64)?
  ) -> SubwordLines {
    var result = SubwordLines()
    // Words end at line feeds, so successive lines can be encoded as one document.
    let areLines = seeds == nil && Self.areLines(documents, of: text)
    let documents = areLines ? [documents.first!.lowerBound..<documents.last!.upperBound] : documents
    withWorker(.subwordEnds) { worker in
      worker.withMarkedText(of: text, documents: documents, seeds: seeds, keepsLineFeeds: areLines) {
        result = SubwordLines(lines: Array($0), subwordCount: $1, replacedLineFeeds: $2)
      }
    }
    return result
  }

  /// Whether the documents are lines, with nothing but a line feed between two of them.
  private static func areLines(_ documents: [Range<Int>], of text: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let first = documents.first?.lowerBound, let last = documents.last?.upperBound else { return false }
    for (one, next) in zip(documents, documents.dropFirst()) where next.lowerBound != one.upperBound + 1 {
      return false
    }
    var lineFeeds = 0
    var next = first
    while next < last, let found = memchr(text.baseAddress! + next, 0x0a, last - next) {
      lineFeeds += 1
      next = UnsafeRawPointer(found) - UnsafeRawPointer(text.baseAddress!) + 1
    }
    // There are as many line feeds as are needed between the documents, so none is inside of one.
    return lineFeeds == documents.count - 1
      && documents.dropLast().allSatisfy { text[$0.upperBound] == 0x0a }
  }

  private func byteTokenLines(
    _ text: UnsafeBufferPointer<UInt8>, _ documents: [Range<Int>], _ seeds: ((Int) -> UInt64)?
  ) -> SubwordLines {
    let batch = encode(text, documents: documents, seeds: seeds)
    let tokens = byteTokens.withLock { made in
      let tokens = made ?? makeByteTokens()
      made = tokens
      return tokens
    }
    var lines: [UInt8] = []
    lines.reserveCapacity(text.count * 3 / 2 + documents.count)
    tokens.bytes.withUnsafeBufferPointer { bytes in
      var index = 0
      for end in batch.ends {
        let first = index
        while index < end {
          if index > first { lines.append(0x20) }
          let id = Int(batch.ids[index])
          lines.append(contentsOf: bytes[(id == 0 ? 0 : tokens.ends[id - 1])..<tokens.ends[id]])
          index += 1
        }
        lines.append(0x0a)
      }
    }
    return SubwordLines(lines: lines, subwordCount: batch.ids.count)
  }

  /// Whether what has no token is left out, because there is no token for the unknown.
  package var dropsCharacters: Bool {
    tokenizer.unknown == nil
      && (wordEncoder.lacksBytes || tokenizer.mode == .character && !wordEncoder.hasAllFallbacks)
  }

  /// The number of bytes (byte-level) or characters that are left out.
  package func droppedCharacters(in text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>]) -> Int {
    withPrepared(text, documents) { text, documents, prepared in
      var count = 0
      for range in prepared?.parts.map(\.range) ?? documents {
        count += wordEncoder.droppedCharacters(in: UnsafeBufferPointer(rebasing: text[range]))
      }
      return count
    }
  }

  private func makeByteTokens() -> (bytes: [UInt8], ends: [Int]) {
    var bytes: [UInt8] = []
    let ends = (0..<UInt32(tokenizer.vocabulary.count)).map { id in
      let token = tokenizer.vocabulary[id]
      bytes += tokenizer.mode == .character ? token : ByteAlphabet.encode(token)
      return bytes.count
    }
    return (bytes, ends)
  }

  /// The subwords of one text, without the end of the line.
  package func subwords(of text: [UInt8], seed: UInt64 = 1) -> [UInt8] {
    text.withUnsafeBufferPointer { subwordLines(of: $0, documents: [0..<text.count], seeds: { _ in seed }) }
      .lines
      .dropLast()
  }

  /// The end of each token in the text.
  package func tokenEnds(of text: [UInt8]) -> [Int] {
    if tokenizer.mode == .word {
      // Subwords in text form are the text with marks inserted.
      var ends: [Int] = []
      text.withUnsafeBufferPointer { text in
        tokenizer.preTokenizer.forEachPreToken(in: text) { start, end in
          let word = subwords(of: Array(text[start..<end]))
          var position = start
          var index = 0
          while index < word.count {
            let isMark = word.count - index > 3 && word[index..<(index + 3)].elementsEqual("@@ ".utf8)
            if isMark {
              ends.append(position)
              index += 3
            } else {
              position += 1
              index += 1
            }
          }
          ends.append(end)
        }
      }
      return ends
    }
    var position = 0
    return encode(text).map { id in
      position += tokenizer.vocabulary.range(of: id).count
      return position
    }
  }

  private func withWorker<Result>(
    _ output: EncoderWorker.Output = .ids, _ body: (EncoderWorker) -> Result
  ) -> Result {
    let pool = output == .ids ? workers : cutters
    return pool.with(orMake: { EncoderWorker(wordEncoder, output) }, body)
  }
}
