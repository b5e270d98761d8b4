import Foundation
import Support

/// Finds documents that share a run of words with an evaluation set.
///
/// Words are those of the ``ComparisonKey``, so case, accents, punctuation and the values of digits do not
/// matter unless they are kept. A document is contaminated if any n consecutive words of it are also n consecutive words of an
/// evaluation text. Runs are looked up by a hash of their n words, and matches are confirmed by comparing the
/// 64-bit hashes of the words.
///
/// Each document takes one pass over its words. Memory depends only on the evaluation sets: 8 bytes per word
/// and 16 to 40 per distinct run.
package struct Decontaminator: Sendable {
  private let evaluation: EvaluationSet
  private let n: Int
  /// The position of each distinct run among all words of the evaluation texts, by its hash: an
  /// open-addressing table that is at most half full.
  private let slots: [Slot]
  /// A Bloom filter with one bit per hash in the table. It fits in the cache and rejects nearly all words of
  /// a clean document.
  private let filter: [UInt64]

  private struct Slot {
    var hash: UInt64 = 0
    /// The position plus 1; 0 in an empty slot.
    var word: UInt64 = 0
  }

  /// A match of a document with the evaluation sets.
  package struct Match: Sendable, Equatable {
    /// The number of runs of n words in the document, and the number of those that occur in an evaluation
    /// text.
    package var ngrams = 0
    package var sharedNgrams = 0
    /// The first shared run: the evaluation text in which it occurs first, and the index there of its first
    /// word.
    package var text = 0
    package var word = 0
  }

  package init(_ evaluation: EvaluationSet) {
    self.evaluation = evaluation
    let n = evaluation.ngram
    var count = 1 << 10
    while count < 2 * evaluation.ngramCount { count *= 2 }
    // Local until they are full: as parts of a struct whose methods are called in between, they would be copied for each
    // text.
    var slots = [Slot](repeating: Slot(), count: count)
    var filter = [UInt64](repeating: 0, count: count / 8)
    evaluation.words.withUnsafeBufferPointer { words in
      for text in 0..<evaluation.textCount {
        let range = evaluation.words(of: text)
        Self.forEachNgram(of: n, in: UnsafeBufferPointer(rebasing: words[range])) { position, hash in
          let word = range.lowerBound + position
          var slot = Int(truncatingIfNeeded: hash) & (count - 1)
          while slots[slot].word != 0 {
            if slots[slot].hash == hash && Self.areEqual(n, words, Int(slots[slot].word) - 1, words, word) {
              return
            }
            slot = (slot + 1) & (count - 1)
          }
          slots[slot] = Slot(hash: hash, word: UInt64(word + 1))
          filter[Self.filterWord(hash, filter.count)] |= 1 << (hash >> 58)
        }
      }
    }
    (self.n, self.slots, self.filter) = (n, slots, filter)
  }

  /// The number of distinct runs of n words in the evaluation sets.
  package var ngramCount: Int { slots.count { $0.word != 0 } }

  /// The buffers of one thread.
  package struct Worker: ~Copyable {
    private let decontaminator: Decontaminator
    private let key: ComparisonKey
    /// The hashes of the last n - 1 words of the previous chunk, then those of the current chunk.
    private var words: [UInt64] = []

    package init(_ decontaminator: Decontaminator) {
      self.decontaminator = decontaminator
      key = ComparisonKey(keeping: decontaminator.evaluation.keep, seed: EvaluationSet.seed)
    }

    /// nil if the document is clean.
    package mutating func match(in text: UnsafeRawBufferPointer) -> Match? {
      var match = Match()
      let n = decontaminator.n
      words.removeAll(keepingCapacity: true)
      key.forEachWords(of: text) { new in
        words.append(contentsOf: new)
        guard words.count >= n else { return }
        words.withUnsafeBufferPointer { decontaminator.search($0, &match) }
        words.removeSubrange(..<(words.count - n + 1))
      }
      return match.sharedNgrams > 0 ? match : nil
    }
  }

  private func search(_ words: UnsafeBufferPointer<UInt64>, _ match: inout Match) {
    match.ngrams += words.count - n + 1
    evaluation.words.withUnsafeBufferPointer { evaluationWords in
      filter.withUnsafeBufferPointer { filter in
        Self.forEachNgram(of: n, in: words) { position, hash in
          guard filter[Self.filterWord(hash, filter.count)] >> (hash >> 58) & 1 != 0 else { return }
          var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
          while slots[slot].word != 0 {
            let word = Int(slots[slot].word) - 1
            if slots[slot].hash == hash && Self.areEqual(n, evaluationWords, word, words, position) {
              if match.sharedNgrams == 0 {
                match.text = evaluation.text(ofWord: word)
                match.word = word - evaluation.words(of: match.text).lowerBound
              }
              match.sharedNgrams += 1
              return
            }
            slot = (slot + 1) & (slots.count - 1)
          }
        }
      }
    }
  }

  /// The evaluation text of a match.
  package func location(of match: Match) -> EvaluationSet.Location { evaluation.locations[match.text] }

  /// The shared words, in the form of the comparison key.
  package func ngram(of match: Match) -> String { evaluation.ngram(at: match.word, of: match.text) }

  @inline(__always) private static func filterWord(_ hash: UInt64, _ count: Int) -> Int {
    Int(truncatingIfNeeded: hash >> 20) & (count &- 1)
  }

  private static func areEqual(
    _ n: Int, _ a: UnsafeBufferPointer<UInt64>, _ i: Int, _ b: UnsafeBufferPointer<UInt64>, _ j: Int
  ) -> Bool {
    (0..<n).allSatisfy { a[i + $0] == b[j + $0] }
  }

  private static let multiplier: UInt64 = 0x9fb2_1c65_1e98_df25

  /// Calls `body` with the hash of each run: a polynomial over the hashes of its words, evaluated at an odd
  /// number modulo 2⁶⁴, then mixed.
  @inline(__always)
  private static func forEachNgram(
    of n: Int, in words: UnsafeBufferPointer<UInt64>, _ body: (_ position: Int, _ hash: UInt64) -> Void
  ) {
    guard words.count >= n else { return }
    var highest: UInt64 = 1
    for _ in 0..<n { highest = highest &* multiplier }
    var sum: UInt64 = 0
    for word in words[..<(n - 1)] { sum = sum &* multiplier &+ word }
    var leaving: UInt64 = 0
    for position in 0...(words.count - n) {
      sum = sum &* multiplier &- leaving &* highest &+ words[position &+ n &- 1]
      leaving = words[position]
      let mixed = (sum ^ sum >> 32) &* Hashing.goldenRatio
      body(position, mixed ^ mixed >> 29)
    }
  }
}
