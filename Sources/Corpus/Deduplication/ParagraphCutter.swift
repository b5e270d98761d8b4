import Support

/// Takes repeated units out of documents.
///
/// A unit goes with its line end and with the lines without a letter or digit that follow it; where the last unit goes,
/// the white space before it goes, too. A document that has lost something is dropped when fewer words or characters than
/// demanded are left; one that was blank from the start is dropped as by the exact method.
package struct ParagraphCutter: Sendable {
  package var minimumWords: Int
  package var minimumCharacters: Int

  private static let mostFirsts = 10

  package init(minimumWords: Int = 1, minimumCharacters: Int = 1) {
    self.minimumWords = minimumWords
    self.minimumCharacters = minimumCharacters
  }

  /// A document that has changed.
  package struct Change: Sendable, Equatable {
    package let location: DocumentLocation
    /// In the batch as it was.
    package let oldIndex: Int
    /// In the batch as it is now; nil when the document was dropped.
    package var index: Int?
    package let unitCount: Int
    package let removedUnits: Int
    /// Of the bytes of its text, 0 to 1.
    package let removedShare: Double
    /// Where the removed units came first, each document once, in the order of the units: the first ten.
    package let firsts: [DocumentLocation]

    /// The share as JSON, rounded to four digits.
    package var shareText: String { String((removedShare * 1e4).rounded() / 1e4) }
  }

  /// Returns what has changed, and where documents stood that were blank.
  package func cut(_ batch: inout DocumentBatch, _ units: ParagraphUnits, _ repeats: UnitRepeats)
    -> (changes: [Change], blank: [DocumentLocation])
  {
    var changes: [Change] = []
    var isKept = [Bool](repeating: true, count: batch.count)
    var blank: [DocumentLocation] = []
    var nextFirst = 0
    for index in 0..<batch.count {
      let own = units.units(of: index)
      let removed = own.count { repeats.isRepeat[$0] }
      if removed == 0 {
        if own.isEmpty, batch.isBlank(at: index) {
          isKept[index] = false
          blank.append(DocumentLocation(source: batch.source.index, line: batch.lines[index]))
        }
        continue
      }
      var firsts: [DocumentLocation] = []
      if !repeats.firsts.isEmpty {
        for first in repeats.firsts[nextFirst..<(nextFirst + removed)]
        where firsts.count < Self.mostFirsts && !firsts.contains(first) {
          firsts.append(first)
        }
        nextFirst += removed
      }
      let text = batch.ranges[index]
      let left = remainder(of: text, own, units, repeats, in: batch)
      isKept[index] = left.withUnsafeBytes {
        !Bytes.isBlank($0[...]) && Words.count(in: $0) >= minimumWords
          && $0.count { $0 & 0xc0 != 0x80 } >= minimumCharacters
      }
      changes.append(
        Change(
          location: DocumentLocation(source: batch.source.index, line: batch.lines[index]),
          oldIndex: index, index: isKept[index] ? index : nil, unitCount: own.count, removedUnits: removed,
          removedShare: Double(text.count - left.count) / Double(max(text.count, 1)), firsts: firsts))
      if isKept[index] { batch.replaceText(at: index, by: left) }
    }
    guard isKept.contains(false) else { return (changes, blank) }
    batch.keep { isKept[$0] }
    var (document, kept) = (0, 0)
    for change in changes.indices {
      guard let index = changes[change].index else { continue }
      while document < index {
        if isKept[document] { kept += 1 }
        document += 1
      }
      changes[change].index = kept
    }
    return (changes, blank)
  }

  private func remainder(
    of text: Range<Int>, _ own: Range<Int>, _ units: ParagraphUnits, _ repeats: UnitRepeats,
    in batch: DocumentBatch
  ) -> [UInt8] {
    var left: [UInt8] = []
    var from = text.lowerBound
    for unit in own where repeats.isRepeat[unit] {
      left += batch.bytes[from..<units.starts[unit]]
      from = unit + 1 < own.upperBound ? units.starts[unit + 1] : text.upperBound
    }
    left += batch.bytes[from..<text.upperBound]
    if repeats.isRepeat[own.upperBound - 1] {
      while let last = left.last, last == 0x20 || last &- 9 < 5 { left.removeLast() }
    }
    return left
  }
}
