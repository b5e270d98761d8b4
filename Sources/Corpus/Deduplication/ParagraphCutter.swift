import Support

/// Removes repeated units from documents.
///
/// A unit is removed with its line end and with the lines without a letter or digit that follow it. If the
/// last unit of a document is removed, so is the white space before it. A document that lost something is
/// dropped if fewer words or characters than required are left. A document that was blank from the start is
/// dropped as well, as by exact deduplication.
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
    /// The index in the batch before the change.
    package let oldIndex: Int
    /// The index in the batch after the change; nil if the document was dropped.
    package var index: Int?
    package let unitCount: Int
    package let removedUnits: Int
    /// The share of the bytes of its text, 0 to 1.
    package let removedShare: Double
    /// All words of the document if it was dropped.
    package let removedWords: Int
    /// The documents in which the removed units occurred first, each once, in the order of the units: at most
    /// ten.
    package let firsts: [DocumentLocation]

    /// The share as JSON, rounded to four digits.
    package var shareText: String { String((removedShare * 1e4).rounded() / 1e4) }
  }

  /// Removes the repeats from the batch. Returns the documents that changed, and the locations of those that
  /// were blank.
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

  /// Drops documents and updates the indices of those that changed.
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

  /// The parts of a text that are kept. If its last unit is removed, the last part is kept without trailing
  /// white space.
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
        let end = Bytes.endWithoutWhiteSpace(bytes[last])
        if end > last.lowerBound {
          left.append(last.lowerBound..<end)
          break
        }
      }
    }
    return left
  }

  /// The number of words in the removed units of a document. No word extends from one unit to the next.
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
