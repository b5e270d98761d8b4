import Support

/// The spans that ``RepeatedSpans`` found, to be removed from the same documents in the same order.
package final class SpanCuts {
  private let file: MappedFile
  private let path: String
  private let offsets: DocumentOffsets
  /// The digest of the blocks in which the spans were found, and of the blocks processed so far.
  private let expectedDigest: UInt64
  private var digest: UInt64 = 0
  private let options: SpanOptions
  private var nextCut = 0
  /// The start of the next document in the compared text.
  private var position = 0

  init(_ path: String, _ manifest: SpanManifest, offsets: DocumentOffsets, options: SpanOptions) throws {
    file = try MappedFile.checked(
      path, bytes: manifest.cuts * SpanCut.byteCount, checksum: manifest.cutsChecksum)
    self.path = path
    self.offsets = offsets
    expectedDigest = manifest.progress.digest
    self.options = options
  }

  /// The number of spans found in the whole corpus.
  package var count: Int { file.bytes.count / SpanCut.byteCount }

  /// Removes the spans from the next batch of the corpus, and drops documents of which only white space is
  /// left, whose indices in the batch are returned.
  ///
  /// `lengths` are those of ``SpanText/lengths(of:unit:tokens:)``.
  package func apply(
    to batch: inout DocumentBatch, lengths: [Int], tokens: SpanTokens? = nil, blockDigest: UInt64
  ) throws -> (removals: [SpanRemoval], emptied: [Int]) {
    digest = DocumentBlock.chain(digest, blockDigest)
    var removals: [SpanRemoval] = []
    var isBlank = [Bool](repeating: false, count: batch.count)
    for index in 0..<batch.count {
      let end = position + lengths[index]
      var cuts: [SpanCut] = []
      while nextCut < count, case let cut = SpanCut(file.bytes, at: nextCut), cut.start < end {
        guard cut.start >= (cuts.last?.end ?? position), cut.start < cut.end, cut.end < end else {
          throw Failure(
            .badInput, "span \(nextCut) does not lie inside a document after the spans before it", file: path,
            remedy: SpanManifest.remedy)
        }
        cuts.append(cut)
        nextCut += 1
      }
      let range = batch.ranges[index]
      let (kept, gone) = batch.bytes.withUnsafeBytes { bytes in
        let text = UnsafeRawBufferPointer(rebasing: bytes[range])
        let gone =
          cuts.isEmpty ? [] : self.ranges(of: cuts, in: text, at: position, tokens?.textEnds(of: index))
        var kept: [UInt8] = []
        if !gone.isEmpty {
          var from = 0
          for range in gone {
            kept += text[from..<range.lowerBound]
            from = range.upperBound
          }
          kept += text[from...]
        }
        isBlank[index] =
          gone.isEmpty ? Bytes.isBlank(text[...]) : kept.withUnsafeBytes { Bytes.isBlank($0[...]) }
        return (kept, gone)
      }
      if !gone.isEmpty {
        let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
        for (range, cut) in zip(gone, cuts) where !range.isEmpty {
          removals.append(
            SpanRemoval(
              oldIndex: index, location: location, range: range, first: offsets.document(at: cut.first)))
        }
        if removals.last?.location == location { batch.replaceText(at: index, by: kept) }
      }
      position = end
    }
    let emptied = isBlank.indices.filter { isBlank[$0] }
    if !emptied.isEmpty { batch.keep { !isBlank[$0] } }
    return (removals, emptied)
  }

  /// Throws if the input has changed since the spans were found.
  package func finish() throws {
    guard digest == expectedDigest else {
      throw Failure(
        .badInput, "the input has changed while it was read",
        remedy: "Remove the work directory and run again")
    }
  }

  /// The ranges of the cuts in the text of the document that starts at `base` of the compared text.
  ///
  /// With bytes and tokens, ends that fall inside a character move inward, so that the whole character is
  /// kept. With words the white space after the last word is removed as well, or that before the first word
  /// at the end of the document.
  private func ranges(
    of cuts: [SpanCut], in text: UnsafeRawBufferPointer, at base: Int, _ tokenEnds: ArraySlice<Int>?
  ) -> [Range<Int>] {
    switch options.unit {
    case .byte, .token:
      /// Converts a boundary between units to an offset in the text.
      func offset(_ position: Int) -> Int {
        guard let tokenEnds else { return position - base }
        let token = (position - base) / SpanText.tokenBytes
        return token == 0 ? 0 : tokenEnds[tokenEnds.startIndex + token - 1]
      }
      return cuts.map { cut in
        var (start, end) = (offset(cut.start), offset(cut.end))
        while start < end && text[start] & 0xc0 == 0x80 { start += 1 }
        while end > start && end < text.count && text[end] & 0xc0 == 0x80 { end -= 1 }
        return start..<end
      }
    case .word:
      var ranges: [Range<Int>] = []
      var word = base
      // The start of the open cut, and the end of the last word seen.
      var start: Int?
      var lastEnd = 0
      var lastKeptEnd = 0
      SpanText.forEachWord(of: text) { range in
        if let from = start, word >= cuts[ranges.count].end {
          ranges.append(from..<range.lowerBound)
          start = nil
        }
        if start == nil, ranges.count < cuts.count, word >= cuts[ranges.count].start {
          start = range.lowerBound
          lastKeptEnd = lastEnd
        }
        lastEnd = range.upperBound
        word += range.count + 1
      }
      if start != nil { ranges.append(lastKeptEnd..<text.count) }
      return ranges
    }
  }
}
