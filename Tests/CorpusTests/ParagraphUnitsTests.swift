import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct ParagraphUnitsTests {
  private static func key(_ text: Substring) -> String {
    let key = ComparisonKey()
    return String(decoding: Array(text.utf8).withUnsafeBytes { key.key(of: $0) }, as: UTF8.self)
  }

  /// The rules implemented on strings: the text before the first unit, and the units of a document with the
  /// lines that follow each.
  private static func units(_ document: String, _ unit: ParagraphUnit) -> (
    head: String, units: [(key: String, text: String)]
  ) {
    var head = ""
    var units: [(key: String, text: String)] = []
    var isInside = false
    var rest = document[...]
    while !rest.isEmpty {
      let end = rest.utf8.firstIndex(of: 10).map { rest.utf8.index(after: $0) } ?? rest.endIndex
      let line = rest[..<end]
      rest = rest[end...]
      let isBlank = line.utf8.allSatisfy { $0 == 0x20 || $0 &- 9 < 5 }
      let startsUnit = unit == .line ? !key(line).isEmpty : !isBlank && !isInside
      isInside = !isBlank
      if startsUnit {
        units.append((key(line), String(line)))
      } else if units.isEmpty {
        head += line
      } else {
        units[units.count - 1].text += line
        if unit == .paragraph { units[units.count - 1].key = key(units[units.count - 1].text[...]) }
      }
    }
    // A paragraph without a letter or digit belongs to the previous unit.
    var merged: [(key: String, text: String)] = []
    for unit in units {
      if !unit.key.isEmpty {
        merged.append(unit)
      } else if merged.isEmpty {
        head += unit.text
      } else {
        merged[merged.count - 1].text += unit.text
      }
    }
    return (head, merged)
  }

  private static func naive(_ documents: [String], _ unit: ParagraphUnit, minimumWords: Int) -> [String] {
    var seen: Set<String> = []
    var kept: [String] = []
    for document in documents {
      let (head, units) = units(document, unit)
      var text = head
      var lost = false
      for (index, unit) in units.enumerated() {
        if seen.insert(unit.key).inserted {
          text += unit.text
        } else {
          lost = true
          if index == units.count - 1 {
            while text.unicodeScalars.last.map({ $0 == " " || (9...13).contains($0.value) }) == true {
              text.unicodeScalars.removeLast()
            }
          }
        }
      }
      let words = text.utf8.split { $0 == 0x20 || $0 &- 9 < 5 }.count
      if words >= (lost ? max(1, minimumWords) : 1) { kept.append(text) }
    }
    return kept
  }

  private static func corpus(_ random: inout RandomGenerator) -> [String] {
    let lines = [
      "", "", " ", "---", "***", "Home | About", "home about!", "a", "A", "1 2", "7 8", "é", "e\u{301}", "水",
      "x y z",
      "All rights reserved.", "\t", "…", "one line", "another line", "and a third one", "b", "c", "d", "e f",
    ]
    return (0..<random.below(30)).map { _ in
      (0..<random.below(9)).map { _ in lines[random.below(lines.count)] + (random.below(9) == 0 ? "\r" : "") }
        .joined(separator: "\n") + (random.below(2) == 0 ? "\n" : "")
    }
  }

  private static func batches(_ documents: [String], of count: Int) -> [DocumentBatch] {
    stride(from: 0, to: documents.count, by: count).map {
      DocumentBatch(lines: Array(documents[$0..<min($0 + count, documents.count)]), source: $0)
    }
  }

  @Test(arguments: [ParagraphUnit.line, .paragraph])
  func agreesWithADictionary(unit: ParagraphUnit) throws {
    var random = RandomGenerator(seed: 77)
    var changed = 0
    for round in 0..<300 {
      let documents = Self.corpus(&random)
      let minimumWords = random.below(4)
      let expected = Self.naive(documents, unit, minimumWords: minimumWords)
      let cutter = ParagraphCutter(minimumWords: minimumWords)
      let size = 1 + random.below(5)
      // In memory, and on disk from some batch on.
      var memory = try RepeatedUnits(remembersLocations: true)
      var disk = try RepeatedUnits(remembersLocations: true, memory: 1 << 20)
      let scratch = try Scratch()
      let batches = Self.batches(documents, of: size)
      let inMemory = round % 10 > 0 ? batches.count : random.below(batches.count + 1)
      var texts: [String] = []
      var changes: [ParagraphCutter.Change] = []
      for (number, batch) in batches.enumerated() {
        let units = ParagraphUnits(batch, unit: unit)
        var kept = batch
        let found = cutter.cut(&kept, units, try memory.take(units, of: batch)).changes
        let words = { (batch: DocumentBatch) in
          batch.texts.reduce(0) { $0 + $1.utf8.split { $0 == 0x20 || $0 &- 9 < 5 }.count }
        }
        #expect(words(kept) == words(batch) - found.reduce(0) { $0 + $1.removedWords })
        #expect(kept.words == words(kept))
        texts += kept.texts
        changes += found
        if number < inMemory {
          _ = try disk.take(units, of: batch)
        } else {
          try disk.postpone(
            units, of: batch, blockDigest: 0, directory: scratch.path("."), pool: WorkerPool(threads: 1))
        }
      }
      #expect(texts == expected, "round \(round)")
      changed += changes.count
      if inMemory == batches.count { continue }
      try disk.resolvePostponed()
      var late: [ParagraphCutter.Change] = []
      var lateTexts: [String] = []
      for batch in batches[inMemory...] {
        let units = ParagraphUnits(batch, unit: unit)
        var kept = batch
        let found = cutter.cut(&kept, units, try disk.take(units, of: batch)).changes
        late += found
        lateTexts += kept.texts
      }
      #expect(lateTexts == texts.suffix(lateTexts.count))
      #expect(late == changes.filter { $0.location.source >= inMemory * size })
      #expect(disk.top.entries.map(\.hash) == memory.top.entries.map(\.hash))
      #expect(disk.top.entries.map(\.repeats) == memory.top.entries.map(\.repeats))
      #expect(disk.top.entries.allSatisfy { !$0.text.isEmpty })
    }
    #expect(changed > 300)
  }

  @Test func changesDescribeWhatWasRemoved() throws {
    let batch = DocumentBatch(lines: [
      "one\n\nshared line\nmore", "Shared, line!\n\nnew\n", "shared line", " ",
    ])
    var repeated = try RepeatedUnits(remembersLocations: true)
    let units = ParagraphUnits(batch, unit: .line)
    let repeats = try repeated.take(units, of: batch)
    var kept = batch
    let (changes, blank) = ParagraphCutter().cut(&kept, units, repeats)
    #expect(kept.texts == ["one\n\nshared line\nmore", "new\n"] && blank.map(\.line) == [4])
    let first = DocumentLocation(source: 0, line: 1)
    #expect(changes.map(\.location.line) == [2, 3] && changes.map(\.index) == [1, nil])
    #expect(changes.map(\.unitCount) == [2, 1] && changes.map(\.removedUnits) == [1, 1])
    #expect(changes.map(\.firsts) == [[first], [first]] && changes[1].removedShare == 1)
    #expect(changes[0].shareText == "0.7895")
    #expect(repeated.top.entries.map(\.repeats) == [2])
    #expect(repeated.top.entries[0].text.lowercased().hasPrefix("shared"))
  }

  @Test func topListAgreesWithFullCounts() {
    var random = RandomGenerator(seed: 3)
    var top = TopUnits(limit: 5)
    var counts: [UInt64: Int] = [:]
    for _ in 0..<20_000 {
      let unit = RandomGenerator.mix(UInt64(min(random.below(60), random.below(60), random.below(60))))
      counts[unit, default: 0] += 1
      top.note(unit, repeats: counts[unit]!) { "\(unit)" }
    }
    let expected = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(5)
    #expect(top.entries.map(\.hash) == expected.map(\.key))
    #expect(top.entries.map(\.repeats) == expected.map(\.value))
    #expect(top.entries.allSatisfy { $0.text == "\($0.hash)" })
  }

  /// Enough units for the set to grow several times and then to become full.
  @Test func setGrowsUntilItIsFull() throws {
    var random = RandomGenerator(seed: 8)
    var repeated = try RepeatedUnits(remembersLocations: true, memory: 4 << 20)
    var number = 0
    while !repeated.isFull {
      let batch = DocumentBatch(
        lines: (0..<1000).map { _ in "unit \(letters(random.below(30_000)))" }, source: number)
      let units = ParagraphUnits(batch, unit: .line)
      let repeats = try repeated.take(units, of: batch)
      #expect(repeats.firsts.count == repeats.isRepeat.count { $0 })
      #expect(repeats.firsts.allSatisfy { $0.source <= number })
      number += 1
      if number > 2000 { break }
    }
    #expect(number > 2000)
    while !repeated.isFull {
      let batch = DocumentBatch(
        lines: (0..<1000).map { _ in "unit \(letters(random.below(.max)))" }, source: number)
      #expect(try !repeated.take(ParagraphUnits(batch, unit: .line), of: batch).isRepeat.contains(true))
      number += 1
    }
    #expect(number < 2200)
  }

  /// Spells a number in letters, because all digits are equal in the comparison key.
  private func letters(_ number: Int) -> String {
    String(String(number).unicodeScalars.map { Character(UnicodeScalar($0.value + 49)!) })
  }

  /// The hash of a key is the same in all three ways to compute it.
  @Test func hashesAgreeWithKeys() {
    var text = RandomText(seed: 17)
    let key = ComparisonKey()
    for round in 0..<2000 {
      let bytes =
        round % 3 == 0
        ? text.text(upTo: 300)
        : (0..<text.random.below(300)).map { _ in
          Array("aB1 .,\n".utf8)[text.random.below(7)]
        }
      bytes.withUnsafeBytes { bytes in
        let whole = key.key(of: bytes)
        let expected = whole.isEmpty ? nil : whole.withUnsafeBytes { Hashing.xxh3($0) }
        #expect(key.hash(of: bytes) == expected)
      }
    }
  }
}
