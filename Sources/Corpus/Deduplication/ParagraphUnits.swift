import Foundation

/// The lines or paragraphs of a batch of documents, each with a 64-bit hash of its ``ComparisonKey``.
///
/// The method is that of CCNet (Wenzek et al., 2020), which also ignores case, punctuation and the values of
/// digits.
///
/// A line without a letter or digit is not a unit: it is kept or removed together with the unit before it,
/// and kept at the start of a document. So blank lines and rules are not duplicates of each other.
///
/// Two of n different units have the same hash, so that one of them is removed by mistake, with probability
/// n² / 2⁶⁵: 3 % for a billion, 9 % for the 1.8 billion paragraphs of 60 million web pages.
package struct ParagraphUnits: Sendable {
  package private(set) var hashes: [UInt64] = []
  /// The start of each unit in the bytes of the batch.
  ///
  /// A unit ends at the start of the next unit or at the end of its document.
  package private(set) var starts: [Int] = []
  /// The end of the units of each document in ``hashes``.
  package private(set) var ends: [Int] = []

  /// `seed` is the seed of the hashes. For text from an untrusted source choose one that its authors cannot
  /// know.
  package init(_ batch: DocumentBatch, unit: ParagraphUnit, keep: KeptDetails = [], seed: UInt64 = 0) {
    let key = ComparisonKey(keeping: keep, seed: seed)
    // A typical line has about a hundred bytes.
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

  /// The range of a unit in the bytes of the batch; `range` is the range of its document.
  package func range(of unit: Int, of document: Int, in range: Range<Int>) -> Range<Int> {
    starts[unit]..<(unit + 1 < ends[document] ? starts[unit + 1] : range.upperBound)
  }

  /// The range of a document's units in ``hashes``.
  package func units(of document: Int) -> Range<Int> {
    (document == 0 ? 0 : ends[document - 1])..<ends[document]
  }

  /// The text of a unit, for reports.
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
