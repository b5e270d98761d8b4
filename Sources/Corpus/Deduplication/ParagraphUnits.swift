import Foundation

/// The lines or paragraphs of a batch of documents, each with a 64-bit hash of its ``ComparisonKey``.
///
/// The scheme is that of CCNet (Wenzek et al. 2020), which also lets case, punctuation and the values of digits go.
///
/// A line without a letter or digit is no unit of its own: it stays or goes with the unit before it, and stays at the
/// start of a document. So blank lines and rules are no duplicates of each other.
///
/// Among n different units two have the same hash, and one is taken for the other, with probability n² / 2⁶⁵: 3 % for a
/// billion, 9 % for the 1.8 billion paragraphs of 60 million web pages.
package struct ParagraphUnits: Sendable {
  package private(set) var hashes: [UInt64] = []
  /// Where each unit starts in the bytes of the batch.
  ///
  /// It reaches to the start of the next one or to the end of its document.
  package private(set) var starts: [Int] = []
  /// Where the units of each document end in ``hashes``.
  package private(set) var ends: [Int] = []

  /// `seed` is that of the hashes: who distrusts the source of the text gives one that its makers do not know.
  package init(_ batch: DocumentBatch, unit: ParagraphUnit, seed: UInt64 = 0) {
    let key = ComparisonKey(seed: seed)
    // Lines of a hundred bytes are ordinary.
    hashes.reserveCapacity(batch.textBytes / 64 + batch.count)
    starts.reserveCapacity(batch.textBytes / 64 + batch.count)
    ends.reserveCapacity(batch.count)
    batch.bytes.withUnsafeBytes { bytes in
      for range in batch.ranges {
        switch unit {
        case .line: addLines(of: range, in: bytes, key)
        case .paragraph: addParagraphs(of: range, in: bytes, key)
        }
        ends.append(hashes.count)
      }
    }
  }

  /// The bytes of a unit of a document, which lies in `range`.
  package func range(of unit: Int, of document: Int, in range: Range<Int>) -> Range<Int> {
    starts[unit]..<(unit + 1 < ends[document] ? starts[unit + 1] : range.upperBound)
  }

  /// The units of a document, as a range of ``hashes``.
  package func units(of document: Int) -> Range<Int> {
    (document == 0 ? 0 : ends[document - 1])..<ends[document]
  }

  /// The text of a unit, for people.
  func text(of unit: Int, document: Int, in batch: DocumentBatch) -> String {
    let end = unit + 1 < ends[document] ? starts[unit + 1] : batch.ranges[document].upperBound
    return String(decoding: batch.bytes[starts[unit]..<end].prefix(4096), as: UTF8.self)
  }

  @inline(__always)
  private mutating func add(
    _ range: Range<Int>, in bytes: UnsafeRawBufferPointer, _ key: borrowing ComparisonKey
  ) {
    guard let hash = key.hash(of: UnsafeRawBufferPointer(rebasing: bytes[range])) else { return }
    hashes.append(hash)
    starts.append(range.lowerBound)
  }

  private mutating func addLines(
    of document: Range<Int>, in bytes: UnsafeRawBufferPointer, _ key: borrowing ComparisonKey
  ) {
    var start = document.lowerBound
    while start < document.upperBound {
      let end = Self.endOfLine(bytes, from: start, to: document.upperBound)
      add(start..<end, in: bytes, key)
      start = end + 1
    }
  }

  private mutating func addParagraphs(
    of document: Range<Int>, in bytes: UnsafeRawBufferPointer, _ key: borrowing ComparisonKey
  ) {
    var start = document.lowerBound
    var open: Range<Int>?
    while start < document.upperBound {
      let end = Self.endOfLine(bytes, from: start, to: document.upperBound)
      if !Bytes.isBlank(bytes[start..<end]) {
        open = (open?.lowerBound ?? start)..<end
      } else if let paragraph = open {
        add(paragraph, in: bytes, key)
        open = nil
      }
      start = end + 1
    }
    if let open { add(open, in: bytes, key) }
  }

  @inline(__always)
  private static func endOfLine(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
    let base = bytes.baseAddress!
    return memchr(base + start, 0x0a, end - start).map { UnsafeRawPointer($0) - base } ?? end
  }
}
