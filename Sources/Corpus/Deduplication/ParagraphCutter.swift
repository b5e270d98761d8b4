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
    /// All that the document held, where it was dropped.
    package let removedWords: Int
    /// Where the removed units came first, each document once, in the order of the units: the first ten.
    package let firsts: [DocumentLocation]

    /// The share as JSON, rounded to four digits.
    package var shareText: String { String((removedShare * 1e4).rounded() / 1e4) }
  }

  /// Leaves in the batch what is left, and returns what has changed, and where documents stood that were blank.
  package func cut(_ batch: inout DocumentBatch, _ units: ParagraphUnits, _ repeats: UnitRepeats)
    -> (changes: [Change], blank: [DocumentLocation])
  {
    var changes: [Change] = []
    var texts: [(index: Int, parts: [Range<Int>])] = []
    var isKept = [Bool](repeating: true, count: batch.count)
    var blank: [DocumentLocation] = []
    var nextFirst = 0
    batch.bytes.withUnsafeBytes { bytes in
      for index in 0..<batch.count {
        let own = units.units(of: index)
        var removed = 0
        for unit in own where repeats.isRepeat[unit] { removed += 1 }
        if removed == 0 {
          if own.isEmpty, Bytes.isBlank(bytes[batch.ranges[index]]) {
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
        let left = remainder(of: text, own, units, repeats, in: bytes)
        let leftBytes = left.reduce(0) { $0 + $1.count }
        isKept[index] = isEnough(left, in: bytes)
        changes.append(
          Change(
            location: DocumentLocation(source: batch.source.index, line: batch.lines[index]),
            oldIndex: index, index: isKept[index] ? index : nil, unitCount: own.count, removedUnits: removed,
            removedShare: Double(text.count - leftBytes) / Double(max(text.count, 1)),
            removedWords: isKept[index]
              ? words(of: own, units, repeats, text, bytes)
              : Words.count(in: UnsafeRawBufferPointer(rebasing: bytes[text])),
            firsts: firsts))
        if isKept[index] { texts.append((index, left)) }
      }
    }
    batch.replaceTexts(texts)
    keep(isKept, &batch, &changes)
    return (changes, blank)
  }

  /// Drops documents, and says of those that have changed where they stand now.
  private func keep(_ isKept: [Bool], _ batch: inout DocumentBatch, _ changes: inout [Change]) {
    guard isKept.contains(false) else { return }
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
  }

  /// The parts of a text that stay; of a document that lost its end the last has no white space behind it.
  private func remainder(
    of text: Range<Int>, _ own: Range<Int>, _ units: ParagraphUnits, _ repeats: UnitRepeats,
    in bytes: UnsafeRawBufferPointer
  ) -> [Range<Int>] {
    var left: [Range<Int>] = []
    var from = text.lowerBound
    for unit in own where repeats.isRepeat[unit] {
      if from < units.starts[unit] { left.append(from..<units.starts[unit]) }
      from = unit + 1 < own.upperBound ? units.starts[unit + 1] : text.upperBound
    }
    if from < text.upperBound { left.append(from..<text.upperBound) }
    if repeats.isRepeat[own.upperBound - 1] {
      while let last = left.popLast() {
        var end = last.upperBound
        while end > last.lowerBound, bytes[end - 1] == 0x20 || bytes[end - 1] &- 9 < 5 { end -= 1 }
        if end > last.lowerBound {
          left.append(last.lowerBound..<end)
          break
        }
      }
    }
    return left
  }

  /// Words of the units of a document that are repeats: no word reaches from one unit to the next.
  private func words(
    of own: Range<Int>, _ units: ParagraphUnits, _ repeats: UnitRepeats, _ text: Range<Int>,
    _ bytes: UnsafeRawBufferPointer
  ) -> Int {
    var words = 0
    for unit in own where repeats.isRepeat[unit] {
      let end = unit + 1 < own.upperBound ? units.starts[unit + 1] : text.upperBound
      words += Words.count(in: UnsafeRawBufferPointer(rebasing: bytes[units.starts[unit]..<end]))
    }
    return words
  }

  private func isEnough(_ left: [Range<Int>], in bytes: UnsafeRawBufferPointer) -> Bool {
    if left.allSatisfy({ Bytes.isBlank(bytes[$0]) }) { return false }
    func words(_ part: Range<Int>) -> Int {
      Words.count(in: UnsafeRawBufferPointer(rebasing: bytes[part]))
    }
    if minimumWords > 1 && left.reduce(0, { $0 + words($1) }) < minimumWords { return false }
    return minimumCharacters <= 1
      || left.reduce(0) { $0 + bytes[$1].count { $0 & 0xc0 != 0x80 } } >= minimumCharacters
  }
}
