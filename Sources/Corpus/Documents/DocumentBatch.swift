import Support

/// Some consecutive documents of one file, about a megabyte of them: what travels between readers, stages and writers.
///
/// All bytes lie in one array; a document is a range of it. The text of a document is valid UTF-8. A batch may hold no
/// document, when it only carries news such as a line that was skipped.
package struct DocumentBatch: Sendable {
  /// The text of the documents, and between them whatever else the ranges refer to.
  package var bytes: [UInt8]
  /// How many of the first bytes were read, repaired where they were ill-formed; the others were made of them.
  package internal(set) var readBytes: Int
  /// The text of each document, a range of `bytes`.
  package var ranges: [Range<Int>]
  /// The number of each document's first line in its file, from 1.
  package var lines: [Int]
  /// What surrounds the text of each document in its JSON line; for a WARC record, what its fields make of it.
  ///
  /// Empty for plain text to which no field was added.
  package var envelopes: [JSONEnvelope]
  package let source: DocumentSource
  /// Repairs and skips since the previous batch, by name.
  package var counts: Summary
  /// Messages about them, `file:line: …`: the first few of each batch.
  package var warnings: [String]

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

  /// Documents in the batch.
  package var count: Int { ranges.count }

  /// Bytes of text in all documents together.
  package var textBytes: Int { ranges.reduce(0) { $0 + $1.count } }

  /// Words in all documents together, in one go where nothing but white space lies between them.
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

  /// Words in one document.
  package func words(at index: Int) -> Int {
    bytes.withUnsafeBytes { Words.count(in: UnsafeRawBufferPointer(rebasing: $0[ranges[index]])) }
  }

  /// Bytes of JSON around the texts.
  var envelopeBytes: Int { envelopes.reduce(0) { $0 + $1.before.count + $1.after.count } }

  /// Whether a document is empty: nothing but ASCII white space.
  package func isBlank(at index: Int) -> Bool {
    bytes.withUnsafeBytes { Bytes.isBlank($0[ranges[index]]) }
  }

  /// Calls `body(index, text)` for each document in order.
  ///
  /// The text must not leave the call.
  package func forEachDocument(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) rethrows {
    try bytes.withUnsafeBytes { bytes in
      for (index, range) in ranges.enumerated() {
        try body(index, UnsafeRawBufferPointer(rebasing: bytes[range]))
      }
    }
  }

  /// The bytes of all documents when they are lines of text one after the other, with nothing but line ends between:
  /// one range that can be worked on as a whole.
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

  /// Gives a document another text, which is appended to the bytes.
  package mutating func replaceText(at index: Int, by text: [UInt8]) {
    let start = bytes.count
    bytes += text
    noteText(at: index, start..<bytes.count)
  }

  /// Gives documents parts of the bytes as their texts.
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

  /// Adds a field to a document, behind those it has.
  ///
  /// `value` is JSON, and `name` no field of the document yet. A document of plain text becomes a JSON object by it, of
  /// which text output shows the text alone.
  package mutating func addField(_ name: String, json value: String, at index: Int) {
    if envelopes.isEmpty { wrapInObjects() }
    let old = envelopes[index]
    let brace = bytes[old.after].lastIndex(of: UInt8(ascii: "}"))!
    let start = bytes.count
    // A copy: a slice would share the array, and appending to it would copy all of it.
    bytes += Array(bytes[old.after.lowerBound..<brace])
    bytes += ",\(JSONText.quote(name)):\(value)}".utf8
    envelopes[index] = JSONEnvelope(before: old.before, after: start..<bytes.count, isVerbatim: false)
  }

  /// Gives plain text the envelopes of JSON objects that hold nothing but their text.
  private mutating func wrapInObjects() {
    let opening = Array("{\"text\":".utf8)
    let before = bytes.count..<(bytes.count + opening.count)
    bytes += opening
    let after = bytes.count..<(bytes.count + 1)
    bytes.append(UInt8(ascii: "}"))
    envelopes = Array(
      repeating: JSONEnvelope(before: before, after: after, isVerbatim: false), count: count)
  }

  /// The documents for which `isKept` is true, in place.
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
