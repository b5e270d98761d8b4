import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct RepeatedSpansTests {
  /// Tokens of one to three bytes that may split characters and that depend on the preceding text.
  private static func tokens(of text: [UInt8]) -> [Range<Int>] {
    var tokens: [Range<Int>] = []
    while case let start = tokens.last?.upperBound ?? 0, start < text.count {
      tokens.append(start..<min(text.count, start + 1 + Int(text[start] % 3)))
    }
    return tokens
  }

  private static func spanTokens(of batch: DocumentBatch) -> SpanTokens {
    var (ids, ends, textEnds): ([UInt32], [Int], [Int]) = ([], [], [])
    batch.forEachDocument { _, text in
      for token in tokens(of: Array(text)) {
        ids.append(text[token].reduce(0) { ($0 << 8 | UInt32($1)) % SpanTokens.idLimit })
        textEnds.append(token.upperBound)
      }
      ends.append(ids.count)
    }
    return SpanTokens(ids: ids, ends: ends, textEnds: textEnds)
  }

  /// The definition: compares every window of every document with every other.
  private static func naive(_ documents: [[UInt8]], _ options: SpanOptions) -> [String] {
    // The removed windows, as ranges of unit indices over all documents.
    var units: [[Range<Int>]] = []
    for text in documents {
      var ranges: [Range<Int>] = []
      text.withUnsafeBytes { text in
        switch options.unit {
        case .byte: ranges = text.indices.map { $0..<($0 + 1) }
        case .token: ranges = tokens(of: Array(text))
        case .word: SpanText.forEachWord(of: text) { ranges.append($0) }
        }
      }
      units.append(ranges)
    }
    struct Place: Equatable { var document, unit: Int }
    var occurrences: [[[UInt8]]: [Place]] = [:]
    for (document, ranges) in units.enumerated() {
      for unit in stride(from: 0, through: ranges.count - options.length, by: 1) {
        let window = ranges[unit..<(unit + options.length)].map { Array(documents[document][$0]) }
        occurrences[window, default: []].append(Place(document: document, unit: unit))
      }
    }
    var isCut = units.map { [Bool](repeating: false, count: $0.count) }
    for places in occurrences.values where places.count > 1 {
      for place in places {
        let other = places.contains { other in
          guard options.keepsFirst else { return other != place }
          return other.document < place.document
            || other.document == place.document && other.unit + options.length <= place.unit
        }
        if other { for unit in 0..<options.length { isCut[place.document][place.unit + unit] = true } }
      }
    }
    var kept: [String] = []
    for (document, text) in documents.enumerated() {
      let ranges = units[document]
      var left: [UInt8] = []
      var from = 0
      var unit = 0
      while unit < ranges.count {
        guard isCut[document][unit] else {
          unit += 1
          continue
        }
        let first = unit
        while unit < ranges.count && isCut[document][unit] { unit += 1 }
        var (start, end) = (ranges[first].lowerBound, ranges[unit - 1].upperBound)
        switch options.unit {
        case .byte, .token:
          while start < end && text[start] & 0xc0 == 0x80 { start += 1 }
          while end > start && end < text.count && text[end] & 0xc0 == 0x80 { end -= 1 }
        case .word:
          if unit < ranges.count {
            end = ranges[unit].lowerBound
          } else {
            (start, end) = (first == 0 ? 0 : ranges[first - 1].upperBound, text.count)
          }
        }
        left += text[from..<start]
        from = end
      }
      left += text[from...]
      if !left.allSatisfy({ $0 == 0x20 || $0 &- 9 < 5 }) {
        kept.append(String(decoding: left, as: UTF8.self))
      }
    }
    return kept
  }

  @Test func processesLongDocumentsInStretches() {
    var random = RandomGenerator(seed: 17)
    let lines = [700, 0, 3, 90, 12].map { count in
      (0..<count).map { _ in "w\(random.below(40))" }.joined(separator: " ")
    }
    let batch = DocumentBatch(lines: lines, source: 0)
    for length in [1, 2, 5, 12] {
      let options = SpanOptions(unit: .word, length: length)
      let whole = SpanText(batch, options)
      #expect(whole.anchors.count > 100)
      for stretch in [1, 2, 10, 64, 689] {
        let anchors = SpanText(batch, options, stretch: stretch).anchors
        #expect(anchors == whole.anchors, "\(length) words, \(stretch) at a time")
      }
    }
  }

  /// The result of the deduplicator for documents that arrive in batches.
  private static func deduplicated(
    _ documents: [[UInt8]], _ options: SpanOptions, memory: Int = 1 << 20, batchDocuments: Int = 7
  ) throws -> (texts: [String], removals: [SpanRemoval]) {
    let scratch = try Scratch()
    let spans = try RepeatedSpans(
      options, directory: scratch.path("work"), memory: memory, pool: WorkerPool(threads: 2))
    var batches: [DocumentBatch] = []
    for start in stride(from: 0, to: documents.count, by: batchDocuments) {
      var batch = DocumentBatch(
        source: DocumentSource(index: 0, path: "a", format: .jsonl, splitting: .line))
      for index in start..<min(start + batchDocuments, documents.count) {
        batch.ranges.append(batch.bytes.count..<(batch.bytes.count + documents[index].count))
        batch.bytes += documents[index]
        batch.lines.append(index + 1)
      }
      batches.append(batch)
      let tokens = options.unit == .token ? spanTokens(of: batch) : nil
      try spans.add(SpanText(batch, options, tokens: tokens), of: batch, blockDigest: 7)
    }
    let cuts = try spans.cuts()
    var texts: [String] = []
    var removals: [SpanRemoval] = []
    for var batch in batches {
      let tokens = options.unit == .token ? spanTokens(of: batch) : nil
      let lengths = SpanText.lengths(of: batch, unit: options.unit, tokens: tokens)
      removals += try cuts.apply(to: &batch, lengths: lengths, tokens: tokens, blockDigest: 7).removals
      texts += batch.texts
    }
    try cuts.finish()
    return (texts, removals)
  }

  /// Documents with planted repeats: parts of a small set of texts, some truncated, between random text.
  private static func corpus(_ random: inout RandomGenerator, isPeriodic: Bool) -> [[UInt8]] {
    let letters = isPeriodic ? ["a", "b"] : ["a", "b", "c", "é", "水", "x", "y", "z"]
    func text(_ count: Int) -> String {
      (0..<count).map { _ in
        random.below(4) == 0 ? [" ", "  ", "\n"][random.below(3)] : letters[random.below(letters.count)]
      }.joined()
    }
    let stock = (0..<4).map { _ in text(5 + random.below(60)) }
    return (0..<(2 + random.below(20))).map { _ in
      var document = ""
      for _ in 0..<random.below(6) {
        switch random.below(3) {
        case 0: document += text(random.below(30))
        case 1: document += stock[random.below(4)]
        default: document += stock[random.below(4)].dropFirst(random.below(4)).dropLast(random.below(4))
        }
      }
      return Array(document.utf8)
    }
  }

  @Test(.long, arguments: SpanUnit.allCases, [true, false])
  func agreesWithAllPairs(unit: SpanUnit, keepsFirst: Bool) throws {
    var random = RandomGenerator(seed: 5)
    var cutAnything = 0
    for round in 0..<50 {
      let documents = Self.corpus(&random, isPeriodic: round % 3 == 0)
      let length = 1 + random.below(unit == .byte ? 24 : 8)
      let options = SpanOptions(
        unit: unit, length: length, keepsFirst: keepsFirst, seed: UInt64(random.below(3)))
      let expected = Self.naive(documents, options)
      let found = try Self.deduplicated(documents, options, batchDocuments: 1 + random.below(5))
      #expect(found.texts == expected, "round \(round), length \(length)")
      if !found.removals.isEmpty { cutAnything += 1 }
    }
    #expect(cutAnything > 30)
  }

  @Test func removalsNameTheKeptOccurrence() throws {
    let span = (0..<60).map { "word\($0)" }.joined(separator: " ")
    let documents = ["before \(span)", "other", "\(span) after", "see: \(span)"].map { Array($0.utf8) }
    let (texts, removals) = try Self.deduplicated(documents, SpanOptions())
    #expect(texts == ["before \(span)", "other", "after", "see:"])
    let first = DocumentLocation(source: 0, line: 1)
    #expect(removals.map(\.first) == [first, first])
    #expect(removals.map(\.location.line) == [3, 4])
    #expect(removals.map(\.range) == [0..<(span.utf8.count + 1), 4..<(5 + span.utf8.count)])
  }

  @Test func periodicTextTakesLinearTime() throws {
    let many = 400_000
    for pattern in ["a", "ab", "abcdefghijklmnopqrstuvwxyz", "spam "] {
      let text = Array(String(repeating: pattern, count: many / pattern.utf8.count).utf8)
      let bytes = try Self.deduplicated([text], SpanOptions(unit: .byte, length: 100), memory: 64 << 20)
      // A window, extended to a whole period.
      let period = pattern.utf8.count
      #expect(bytes.texts == [String(decoding: text[..<((99 + period) / period * period)], as: UTF8.self)])
    }
    let words = Array(String(repeating: "spam ", count: many / 5).utf8)
    let kept = try Self.deduplicated([words], SpanOptions(length: 50), memory: 64 << 20).texts
    #expect(kept == [Array(repeating: "spam", count: 50).joined(separator: " ")])
  }

  @Test func boilerplateTakesLinearTime() throws {
    let notice = "All rights reserved; reproduced by permission of the publishers "
    func code(_ number: Int) -> String {
      var bits = RandomGenerator.mix(UInt64(number))
      return String(
        (0..<12).map { _ in
          defer { bits /= 26 }
          return Character(UnicodeScalar(97 + UInt8(bits % 26)))
        })
    }
    let documents = (0..<30_000).map { Array("\(notice)\(code($0)) \(notice)".utf8) }
    let (texts, _) = try Self.deduplicated(
      documents, SpanOptions(unit: .byte, length: 60), memory: 64 << 20, batchDocuments: 5000)
    #expect(texts.count == documents.count && texts[0] == "\(notice)\(code(0)) ")
    // Except for what a code has in common with the next one at either end.
    for (number, text) in texts.enumerated().dropFirst() where !code(number).contains(text) {
      Issue.record("\(number): \(text)")
    }
  }

  @Test func splitsVeryLongWords() {
    let text = Array(String(repeating: "水", count: 3000).utf8)
    var words: [Range<Int>] = []
    text.withUnsafeBytes { SpanText.forEachWord(of: $0) { words.append($0) } }
    #expect(words.first == 0..<4095 && words.last?.upperBound == 9000)
    #expect(words.allSatisfy { $0.lowerBound % 3 == 0 && $0.count <= SpanText.longestWord })
  }

  @Test func resumesAfterAnInterruption() throws {
    var random = RandomGenerator(seed: 9)
    let documents = (0..<3000).map { _ in
      Array((0..<60).map { _ in "w\(random.below(40))" }.joined(separator: " ").utf8)
    }
    let options = SpanOptions(unit: .word, length: 3)
    let batches = documents.chunks(of: 100).map { DocumentBatch(lines: $0) }
    func run(_ directory: String, upTo last: Int) throws -> (RepeatedSpans, skipped: Int) {
      let spans = try RepeatedSpans(
        options, directory: directory, memory: 1 << 20, pool: WorkerPool(threads: 1))
      for batch in batches[..<last].dropFirst(spans.finishedBatches) {
        try spans.add(SpanText(batch, options), of: batch, blockDigest: 7)
      }
      return (spans, spans.finishedBatches)
    }
    let scratch = try Scratch()
    _ = try run(scratch.path("killed"), upTo: 20)
    let again = try run(scratch.path("killed"), upTo: batches.count)
    #expect(again.skipped > 0 && again.skipped < 20)
    _ = try again.0.cuts()
    _ = try run(scratch.path("whole"), upTo: batches.count).0.cuts()
    for name in ["text", "places", "cuts"] {
      let (one, other) = (scratch.path("killed/\(name)"), scratch.path("whole/\(name)"))
      #expect(try MappedFile.read(one) == MappedFile.read(other))
    }
    #expect(try MappedFile.read(scratch.path("whole/cuts")).count > 1000)
    #expect(try run(scratch.path("killed"), upTo: batches.count).skipped == batches.count)
  }

  @Test func equalWindowsHaveEqualAnchors() {
    var random = RandomGenerator(seed: 31)
    for length in [1, 2, 3, 10, 33, 100] {
      let minimizers = Minimizers(length: length)
      let window = (0..<length).map { _ in UInt64(random.below(4)) }
      var offsets: Set<Int> = []
      for _ in 0..<50 {
        let before = (0..<random.below(200)).map { _ in UInt64(random.below(4)) }
        let text = before + window + (0..<random.below(200)).map { _ in UInt64(random.below(4)) }
        var anchors: [Int] = []
        minimizers.forEachAnchor(count: text.count, unit: { text[$0] }) { position, _ in
          anchors.append(position)
        }
        #expect(anchors == anchors.sorted() && Set(anchors).count == anchors.count)
        // The anchor depends only on the hashes in the window, so the anchor of the window on its own is
        // among the anchors.
        var own = 0
        minimizers.forEachAnchor(count: length, unit: { window[$0] }) { position, _ in own = position }
        #expect(anchors.contains(before.count + own))
        offsets.insert(own)
      }
      #expect(offsets.count == 1)
    }
  }
}

extension Array where Element == [UInt8] {
  fileprivate func chunks(of count: Int) -> [[String]] {
    stride(from: 0, to: self.count, by: count).map { start in
      self[start..<Swift.min(start + count, self.count)].map { String(decoding: $0, as: UTF8.self) }
    }
  }
}
