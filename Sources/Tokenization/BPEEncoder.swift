import Foundation
import Support

/// Ids of a batch of documents, one after another.
package struct EncodedBatch: Sendable {
  package var ids: [UInt32] = []
  /// Where each document ends in ``ids``.
  package var ends: [Int] = []

  package init() {}

  /// The ids of one document.
  package func withDocument<Result>(
    _ index: Int, _ body: (UnsafeBufferPointer<UInt32>) throws -> Result
  ) rethrows -> Result {
    let start = index == 0 ? 0 : ends[index - 1]
    return try ids.withUnsafeBufferPointer {
      try body(UnsafeBufferPointer(rebasing: $0[start..<ends[index]]))
    }
  }
}

/// Turns text into the ids of a ``Tokenizer``, exactly as applying its merges one by one in order of rank would.
///
/// The text of a special token is ordinary text here: it is encoded as what its bytes say, never as the special id.
/// (`tokenizers` maps it to that id, and `tiktoken` does when told to.) What a document contains can thus not end it.
///
/// Safe to use from many threads; each call borrows scratch space and a cache that stay with the encoder.
package final class BPEEncoder: @unchecked Sendable {
  // `idle` is guarded by `lock`; a worker that was taken out belongs to its taker.
  package let tokenizer: Tokenizer
  private let table: MergeTable
  private let lock = NSLock()
  private var idle: [EncoderWorker] = []

  package init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    table = MergeTable(tokenizer.merges)
  }

  /// Encodes documents, each a range of `text`.
  package func encode(_ text: UnsafeBufferPointer<UInt8>, documents: [Range<Int>]) -> EncodedBatch {
    withWorker { $0.encode(text, documents: documents) }
  }

  /// Encodes one document.
  package func encode(_ text: [UInt8]) -> [UInt32] {
    text.withUnsafeBufferPointer { encode($0, documents: [0..<text.count]) }.ids
  }

  /// The document as pieces of text for people and for tools that read text.
  ///
  /// Word mode: fastBPE's form, every piece but the last of a word followed by `@@`, pieces of a word
  /// separated by a space, the separators of the text as they are. Byte-level: tokens in GPT-2's byte
  /// characters, separated by spaces. Returns how many pieces were written.
  @discardableResult
  package func appendPieces(of text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) -> Int {
    withWorker { worker in
      switch tokenizer.mode {
      case .word: worker.appendMarkedPieces(of: text, to: &output)
      case .byteLevel: worker.appendByteTokens(of: text, to: &output)
      }
    }
  }

  private func withWorker<Result>(_ body: (EncoderWorker) -> Result) -> Result {
    let worker = lock.withLock { idle.popLast() } ?? EncoderWorker(tokenizer, table)
    defer { lock.withLock { idle.append(worker) } }
    return body(worker)
  }
}
