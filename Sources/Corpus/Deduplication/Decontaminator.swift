import Foundation
import Support

/// Documents that share a run of words with an evaluation set.
///
/// Words are those of the ``ComparisonKey``, so case, accents, punctuation and the values of digits do not matter. A
/// document is contaminated when any n consecutive words of it are n consecutive words of an evaluation text. That is
/// found by a hash of the n words and confirmed by the 64-bit hashes of each of them.
///
/// A pass over the words of each document; memory is that of the evaluation sets alone: 8 bytes for each of their words
/// and 16 to 40 for each distinct run.
package struct Decontaminator: Sendable {
  private let evaluation: EvaluationSet
  private let n: Int
  /// Where a run of n words stands among all words of the evaluation texts, by its hash: open addressing, at most half
  /// full.
  private var slots: [Slot]
  /// One bit for some bits of each hash that is in the table: small enough to stay in the cache, it turns away nearly
  /// all words of a clean document.
  private var filter: [UInt64]

  private struct Slot {
    var hash: UInt64 = 0
    /// Counted from 1; 0 in a free slot.
    var place: UInt64 = 0
  }

  /// What a document shares with the evaluation sets.
  package struct Overlap: Sendable, Equatable {
    /// Runs of n words in the document, and how many of them are found in an evaluation text.
    package var ngrams = 0
    package var sharedNgrams = 0
    /// The first of those: the evaluation text where it stands first, and which of its words it begins with.
    package var text = 0
    package var word = 0
  }

  package init(_ evaluation: EvaluationSet) {
    self.evaluation = evaluation
    n = evaluation.ngram
    var count = 1 << 10
    while count < 2 * evaluation.ngramCount { count *= 2 }
    slots = [Slot](repeating: Slot(), count: count)
    filter = [UInt64](repeating: 0, count: count / 8)
    evaluation.words.withUnsafeBufferPointer { words in
      for text in 0..<evaluation.textCount {
        let range = evaluation.words(of: text)
        forEachNgram(in: UnsafeBufferPointer(rebasing: words[range])) { position, hash in
          let place = range.lowerBound + position
          var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
          while slots[slot].place != 0 {
            if slots[slot].hash == hash && areEqual(words, Int(slots[slot].place) - 1, words, place) {
              return
            }
            slot = (slot + 1) & (slots.count - 1)
          }
          slots[slot] = Slot(hash: hash, place: UInt64(place + 1))
          filter[filterWord(hash)] |= 1 << (hash >> 58)
        }
      }
    }
  }

  /// Distinct runs of n words in the evaluation sets.
  package var ngramCount: Int { slots.count { $0.place != 0 } }

  /// A scratch space for each thread.
  package struct Worker: ~Copyable {
    private let decontaminator: Decontaminator
    private let key = ComparisonKey(seed: EvaluationSet.seed)
    /// The last words of the piece before, then those of a piece.
    private var words: [UInt64] = []

    package init(_ decontaminator: Decontaminator) { self.decontaminator = decontaminator }

    /// nil when the document is clean.
    package mutating func overlap(of text: UnsafeRawBufferPointer) -> Overlap? {
      var overlap = Overlap()
      let n = decontaminator.n
      words.removeAll(keepingCapacity: true)
      key.forEachWords(of: text) { new in
        words.append(contentsOf: new)
        guard words.count >= n else { return }
        words.withUnsafeBufferPointer { decontaminator.search($0, &overlap) }
        words.removeSubrange(..<(words.count - n + 1))
      }
      return overlap.sharedNgrams > 0 ? overlap : nil
    }
  }

  private func search(_ words: UnsafeBufferPointer<UInt64>, _ overlap: inout Overlap) {
    overlap.ngrams += words.count - n + 1
    evaluation.words.withUnsafeBufferPointer { evaluationWords in
      filter.withUnsafeBufferPointer { filter in
        forEachNgram(in: words) { position, hash in
          guard filter[filterWord(hash)] >> (hash >> 58) & 1 != 0 else { return }
          var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
          while slots[slot].place != 0 {
            let place = Int(slots[slot].place) - 1
            if slots[slot].hash == hash && areEqual(evaluationWords, place, words, position) {
              if overlap.sharedNgrams == 0 {
                overlap.text = evaluation.text(ofWord: place)
                overlap.word = place - evaluation.words(of: overlap.text).lowerBound
              }
              overlap.sharedNgrams += 1
              return
            }
            slot = (slot + 1) & (slots.count - 1)
          }
        }
      }
    }
  }

  /// The evaluation text of an overlap.
  package func place(of overlap: Overlap) -> EvaluationSet.Place { evaluation.places[overlap.text] }

  /// The shared words, as their keys.
  package func ngram(of overlap: Overlap) -> String { evaluation.ngram(at: overlap.word, of: overlap.text) }

  @inline(__always) private func filterWord(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash >> 20) & (filter.count &- 1)
  }

  private func areEqual(
    _ a: UnsafeBufferPointer<UInt64>, _ i: Int, _ b: UnsafeBufferPointer<UInt64>, _ j: Int
  ) -> Bool {
    (0..<n).allSatisfy { a[i + $0] == b[j + $0] }
  }

  private static let multiplier: UInt64 = 0x9fb2_1c65_1e98_df25

  /// A polynomial in an odd number over the hashes of the words, modulo 2⁶⁴, mixed.
  @inline(__always)
  private func forEachNgram(
    in words: UnsafeBufferPointer<UInt64>, _ body: (_ position: Int, _ hash: UInt64) -> Void
  ) {
    guard words.count >= n else { return }
    var highest: UInt64 = 1
    for _ in 0..<n { highest = highest &* Self.multiplier }
    var sum: UInt64 = 0
    for word in words[..<(n - 1)] { sum = sum &* Self.multiplier &+ word }
    var leaving: UInt64 = 0
    for position in 0...(words.count - n) {
      sum = sum &* Self.multiplier &- leaving &* highest &+ words[position &+ n &- 1]
      leaving = words[position]
      let mixed = (sum ^ sum >> 32) &* 0x9e37_79b9_7f4a_7c15
      body(position, mixed ^ mixed >> 29)
    }
  }
}
