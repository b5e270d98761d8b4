import Support

/// Consecutive documents of one file, about a megabyte of them: the unit that readers, stages and writers
/// exchange.
///
/// All text is stored in one array, in which each document is a range of valid UTF-8. A batch without
/// documents is possible: it only reports, for example, a skipped line.
package struct DocumentBatch: Sendable {
  /// The text of the documents and everything else that the ranges below refer to.
  package var bytes: [UInt8]
  /// The length of the part of `bytes` that was read from the input, after repair. Later bytes were derived
  /// from it.
  package internal(set) var readBytes: Int
  /// The text of each document, a range of `bytes`.
  package var ranges: [Range<Int>]
  /// The line number in the file of each document's first line, from 1.
  package var lines: [Int]
  /// The JSON around the text of each document; for a WARC record, JSON made from its header fields.
  ///
  /// Empty for plain text to which no field was added.
  package var envelopes: [JSONEnvelope]
  package let source: DocumentSource
  /// The numbers of repairs and skips since the previous batch, by name.
  package var counts: Summary
  /// Messages about repairs and skips, `file:line: …`: the first few of each batch.
  package var warnings: [String]

  /// The fields of the first JSON object that lacks the field with the text, as messages list them.
  package internal(set) var otherFields: String?

  package init(
    source: DocumentSource, bytes: [UInt8] = [], ranges: [Range<Int>] = [], lines: [Int] = [],
    envelopes: [JSONEnvelope] = [], counts: Summary = Summary(), warnings: [String] = []
  ) {
    self.source = source
    self.bytes = bytes
    readBytes = bytes.count
    self.ranges = ranges
    self.lines = lines
    self.envelopes = envelopes
    self.counts = counts
    self.warnings = warnings
  }

  /// The number of documents.
  package var count: Int { ranges.count }

  /// The number of bytes of text in all documents.
  package var textBytes: Int { ranges.reduce(0) { $0 + $1.count } }

  /// The number of words in all documents, counted in one call if only white space separates them.
  package var words: Int {
    bytes.withUnsafeBytes { bytes in
      func isBlank(_ index: Int) -> Bool { bytes[index] == 0x20 || bytes[index] &- 9 < 5 }
      let areApart = (1..<max(count, 1)).allSatisfy { index in
        let (end, start) = (ranges[index - 1].upperBound, ranges[index].lowerBound)
        return (1...2).contains(start - end) && isBlank(end) && isBlank(start - 1)
      }
      if areApart, let first = ranges.first, let last = ranges.last {
        return Words.count(in: UnsafeRawBufferPointer(rebasing: bytes[first.lowerBound..<last.upperBound]))
      }
      return ranges.reduce(0) { $0 + Words.count(in: UnsafeRawBufferPointer(rebasing: bytes[$1])) }
    }
  }

  /// The number of words in one document.
  package func words(at index: Int) -> Int {
    bytes.withUnsafeBytes { Words.count(in: UnsafeRawBufferPointer(rebasing: $0[ranges[index]])) }
  }

  /// The number of bytes of JSON around the texts.
  var envelopeBytes: Int { envelopes.reduce(0) { $0 + $1.before.count + $1.after.count } }

  /// Whether a document contains only white space.
  package func isBlank(at index: Int) -> Bool {
    bytes.withUnsafeBytes { Bytes.isBlank($0[ranges[index]]) }
  }

  /// Calls `body(index, text)` for each document in order. The text is valid only during the call.
  package func forEachDocument(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) rethrows {
    try bytes.withUnsafeBytes { bytes in
      for (index, range) in ranges.enumerated() {
        try body(index, UnsafeRawBufferPointer(rebasing: bytes[range]))
      }
    }
  }

  /// The range that covers all documents if they are consecutive lines of plain text, so that they can be
  /// processed in one call; nil otherwise.
  var consecutiveLines: Range<Int>? {
    guard source.format == .text, source.splitting == .line, let first = ranges.first, let last = ranges.last
    else {
      return nil
    }
    for index in 1..<max(count, 1)
    where !(1...2).contains(ranges[index].lowerBound - ranges[index - 1].upperBound) {
      return nil
    }
    let all = first.lowerBound..<last.upperBound
    let lineFeeds = bytes.withUnsafeBytes {
      Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: $0[all]))
    }
    return lineFeeds == count - 1 ? all : nil
  }

  /// Replaces the text of a document. The new text is appended to the bytes.
  package mutating func replaceText(at index: Int, by text: [UInt8]) {
    let start = bytes.count
    bytes += text
    noteText(at: index, start..<bytes.count)
  }

  /// Replaces the texts of documents by concatenations of parts of the bytes.
  mutating func replaceTexts(_ texts: [(index: Int, parts: [Range<Int>])]) {
    var end = bytes.count
    bytes.append(
      contentsOf: repeatElement(0, count: texts.reduce(0) { $1.parts.reduce($0) { $0 + $1.count } }))
    for (index, parts) in texts {
      let start = end
      bytes.withUnsafeMutableBytes { bytes in
        for part in parts {
          UnsafeMutableRawBufferPointer(rebasing: bytes[end...]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[part]))
          end += part.count
        }
      }
      noteText(at: index, start..<end)
    }
  }

  private mutating func noteText(at index: Int, _ range: Range<Int>) {
    ranges[index] = range
    if !envelopes.isEmpty {
      let old = envelopes[index]
      envelopes[index] = JSONEnvelope(before: old.before, after: old.after, isVerbatim: false)
    }
  }

  /// Adds a field after the existing fields of a document.
  ///
  /// `value` is JSON, and the document must not have a field `name` yet. A document of plain text becomes a
  /// JSON object; text output still shows only its text.
  package mutating func addField(_ name: String, json value: String, at index: Int) {
    if envelopes.isEmpty { wrapInObjects() }
    let old = envelopes[index]
    let brace = bytes[old.after].lastIndex(of: UInt8(ascii: "}"))!
    let start = bytes.count
    // Copy the slice first: it would share the array, and appending would then copy the whole array.
    bytes += Array(bytes[old.after.lowerBound..<brace])
    bytes += ",\(JSONText.quote(name)):\(value)}".utf8
    envelopes[index] = JSONEnvelope(before: old.before, after: start..<bytes.count, isVerbatim: false)
  }

  /// Turns documents of plain text into JSON objects whose only field is the text.
  private mutating func wrapInObjects() {
    let opening = Array("{\"text\":".utf8)
    let before = bytes.count..<(bytes.count + opening.count)
    bytes += opening
    let after = bytes.count..<(bytes.count + 1)
    bytes.append(UInt8(ascii: "}"))
    envelopes = Array(
      repeating: JSONEnvelope(before: before, after: after, isVerbatim: false), count: count)
  }

  /// Removes the documents for which `isKept` is false, in place.
  package mutating func keep(where isKept: (Int) -> Bool) {
    var kept = 0
    for index in 0..<count where isKept(index) {
      ranges[kept] = ranges[index]
      lines[kept] = lines[index]
      if !envelopes.isEmpty { envelopes[kept] = envelopes[index] }
      kept += 1
    }
    ranges.removeSubrange(kept...)
    lines.removeSubrange(kept...)
    if !envelopes.isEmpty { envelopes.removeSubrange(kept...) }
  }
}
