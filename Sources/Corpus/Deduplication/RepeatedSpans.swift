import Foundation
import Support

/// All spans of at least so many units that occur more than once in a corpus, exactly.
///
/// Lee et al. 2022 remove them from training data, and find them by suffix arrays.
///
/// A window is `length` consecutive units of one document. When the first is kept, a window is cut if the same units
/// stand at an earlier place that it does not overlap; otherwise if they stand at any other place. What is cut is the
/// union of these windows. (Of a text that repeats itself the first window stays; the suffix array tools, for which a
/// place may overlap itself, leave nothing of it.)
///
/// How they are found, without an index of all positions:
/// 1. Anchors (``Minimizers``): equal windows have theirs at the same place. The records of all anchors, with a hash of
///    the k-mer there and one of the context, all windows around it, are sorted.
/// 2. Anchors of the same k-mer and the same context: every window around them repeats the first one's. That is the bulk
///    of all repeats, at one record for some w / 2 positions. Anchors of the same k-mer in several contexts, the ends of
///    repeats, are passed on, one for each context, with those that overlap the first of theirs.
/// 3. The windows around these are hashed one by one (128 bits), and sorted.
/// 4. Every claim of the last two steps is compared byte by byte with the place that it names before it is believed.
///    Hashes decide only what is compared.
///
/// Memory: what is given; the compared text and the sorted runs lie in the work directory and are mapped. Disk: the text
/// in its compared form once, 16 bytes a document, 32 bytes an anchor (two to w + 1 units), and in steps 2 and 3 24 to 32
/// bytes for each repeated anchor and each window at the end of a repeat.
package final class RepeatedSpans {
  private let options: SpanOptions
  private let directory: String
  private let memory: Int
  private let pool: WorkerPool
  private let text: GrowingFile
  private let places: GrowingFile
  private var anchors: RecordSorter?
  /// Batches that earlier runs have put away for good: skip them.
  package let finishedBatches: Int
  private var batches: Int
  /// Of all blocks so far.
  private var digest: UInt64

  /// Start, end and first occurrence of each cut.
  private static let claimFormat = RecordFormat(words: 3)
  /// Position and extent of an anchor.
  private static let requestFormat = RecordFormat(words: 2)
  /// 128 bits of hash, start, bytes.
  private static let windowFormat = RecordFormat(words: 4, lastBytes: 4)

  /// A directory in which an earlier run was killed is taken up where it stood; it must have had the same input and
  /// options.
  package init(_ options: SpanOptions, directory: String, memory: Int, pool: WorkerPool) throws {
    self.options = options
    self.directory = directory
    self.memory = max(memory, 1 << 20)
    self.pool = pool
    try SystemCall.makeDirectories(directory)
    let progress = try Self.progress(in: directory)
    text = try GrowingFile(Path.join(directory, "text"), length: progress.textBytes)
    places = try GrowingFile(Path.join(directory, "places"), length: progress.placeBytes)
    finishedBatches = progress.batches
    batches = progress.batches
    digest = progress.digest
    if !Path.exists(Path.join(directory, "cuts")) {
      anchors = try RecordSorter(
        directory: directory, name: "anchors", format: SpanText.anchorFormat, memory: self.memory, pool: pool)
    }
  }

  /// A hash of the blocks of ``finishedBatches``, chained with ``DocumentBlock/digest``: those that are skipped must have
  /// the same.
  package var finishedDigest: UInt64 { digest }

  /// Adds the next batch of the corpus; `blockDigest` is that of the block it was read from.
  package func add(_ spans: SpanText, of batch: DocumentBatch, blockDigest: UInt64) throws {
    guard let anchors else { return }
    let base = UInt64(text.length)
    var records = spans.anchors
    for index in stride(from: 2, to: records.count, by: SpanText.anchorFormat.words) {
      records[index] += base
    }
    if records.count / SpanText.anchorFormat.words > anchors.room { try endRun() }
    try text.append(spans.bytes)
    try places.append(PlaceTable.records(of: batch, ends: spans.ends, base: Int(base)))
    batches += 1
    digest = DocumentBlock.chain(digest, blockDigest)
    try anchors.appendEndingRuns(records)
  }

  /// Ends a run of anchors with a note of how far everything has come.
  private func endRun() throws {
    try text.sync()
    try places.sync()
    try anchors!.endRun(note: Array("\(batches) \(text.length) \(places.length) \(digest)".utf8))
  }

  /// How far an earlier run has come, its unfinished runs removed.
  private static func progress(in directory: String) throws -> (
    batches: Int, textBytes: Int, placeBytes: Int, digest: UInt64
  ) {
    var (last, paths) = ([UInt64](repeating: 0, count: 4), [String]())
    while case let path = RecordSorter.path(paths.count, name: "anchors", in: directory), Path.exists(path) {
      paths.append(path)
    }
    while let path = paths.popLast() {
      let note = String(decoding: try SortedRun(path).note, as: UTF8.self)
      let numbers = note.split(separator: " ").compactMap { UInt64($0) }
      if numbers.count == 4 {
        last = numbers
        break
      }
      unlink(path)
    }
    return (Int(last[0]), Int(last[1]), Int(last[2]), last[3])
  }

  /// What to cut, once every batch is added.
  package func cuts() throws -> SpanCuts {
    let path = Path.join(directory, "cuts")
    if !Path.exists(path) {
      try endRun()
      let runs = try anchors!.finish(memory: memory)
      anchors = nil
      let (claims, requests) = try groupAnchors(runs)
      let windowRuns = try hashWindows(requests)
      let moreClaims = try groupWindows(windowRuns)
      try verify(claims + moreClaims, to: path)
    }
    try places.flush()
    return try SpanCuts(path, places: PlaceTable(places.path), digest: digest, options: options)
  }

  /// Step 2.
  private func groupAnchors(_ runs: [SortedRun]) throws -> (claims: [SortedRun], requests: [SortedRun]) {
    // The requests are finished last.
    if let requests = try finishedRuns("requests"), let claims = try finishedRuns("claims") {
      return (claims, requests)
    }
    let claims = try sorter("claims", Self.claimFormat, share: 4)
    let requests = try sorter("requests", Self.requestFormat, share: 4)
    var kmer: UInt64?
    var context: UInt64 = 0
    // The first anchor of the context, and what happened to it.
    var (first, firstExtent): (UInt64, UInt64) = (0, 0)
    var (isRequested, isClaimed) = (false, false)
    let merger = try RecordMerger(runs, memory: memory / 4)
    while let batch = try merger.next() {
      try Interruption.check()
      var (newClaims, newRequests): ([UInt64], [UInt64]) = ([], [])
      func claim(_ position: UInt64, _ extent: UInt64, as first: UInt64) {
        let (left, right) = (extent >> 32, extent & 0xffff_ffff)
        newClaims += [position - left, position + right, first - left]
      }
      for index in stride(from: 0, to: batch.count, by: SpanText.anchorFormat.words) {
        let (position, extent) = (batch[index + 2], batch[index + 3])
        if batch[index] == kmer && batch[index + 1] == context {
          if !options.keepsFirst {
            claim(position, extent, as: first)
            if !isClaimed { claim(first, firstExtent, as: position) }
            isClaimed = true
          } else if position >= first + extent & 0xffff_ffff {
            claim(position, extent, as: first)
          } else {
            if !isRequested { newRequests += [first, firstExtent] }
            isRequested = true
            newRequests += [position, extent]
          }
          continue
        }
        let isSecondContext = batch[index] == kmer
        if isSecondContext {
          if !isRequested { newRequests += [first, firstExtent] }
          newRequests += [position, extent]
        }
        isRequested = isSecondContext
        isClaimed = false
        (kmer, context, first, firstExtent) = (batch[index], batch[index + 1], position, extent)
      }
      try claims.appendEndingRuns(newClaims)
      try requests.appendEndingRuns(newRequests)
    }
    return (
      try claims.finish(note: Self.finished, memory: memory / 4),
      try requests.finish(note: Self.finished, memory: memory / 4)
    )
  }

  /// Step 3, first half: the requests come in the order of the text.
  private func hashWindows(_ requests: [SortedRun]) throws -> [SortedRun] {
    if let runs = try finishedRuns("windows") { return runs }
    let windows = try sorter("windows", Self.windowFormat, share: 2)
    let file = try MappedFile(text.path)
    let merger = try RecordMerger(requests, memory: memory / 4)
    // Windows that start before this were hashed for the anchor before.
    var next = 0
    while let batch = try merger.next() {
      try Interruption.check()
      var records: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: Self.requestFormat.words) {
        let position = Int(batch[index])
        let extent = batch[index + 1]
        let (from, to) = (position - Int(extent >> 32), position + Int(extent & 0xffff_ffff))
        let starts = unitStarts(in: file.bytes, from: from, to: to)
        // The window of unit i ends where unit i + length starts, less the space between words.
        let gap = options.unit == .word ? 1 : 0
        for unit in stride(from: 0, to: starts.count - options.length, by: 1) where starts[unit] >= next {
          let (start, end) = (starts[unit], starts[unit + options.length] - gap)
          let hash = Hashing.xxh3Wide(
            UnsafeRawBufferPointer(rebasing: file.bytes[start..<end]), seed: options.seed)
          records += [
            UInt64(truncatingIfNeeded: hash >> 64), UInt64(truncatingIfNeeded: hash), UInt64(start),
            UInt64(end - start),
          ]
          next = start + 1
        }
      }
      try windows.appendEndingRuns(records)
    }
    return try windows.finish(note: Self.finished, memory: memory / 2)
  }

  /// Where the units between two boundaries start, and where one would start after them.
  private func unitStarts(in bytes: UnsafeRawBufferPointer, from: Int, to: Int) -> [Int] {
    switch options.unit {
    case .byte: Array(from...to)
    case .token: Array(stride(from: from, through: to, by: SpanText.tokenBytes))
    case .word: [from] + (from..<to).filter { bytes[$0] == 0x20 }.map { $0 + 1 } + [to + 1]
    }
  }

  /// Step 3, second half.
  private func groupWindows(_ runs: [SortedRun]) throws -> [SortedRun] {
    if let runs = try finishedRuns("window-claims") { return runs }
    let claims = try sorter("window-claims", Self.claimFormat, share: 2)
    var hash: (UInt64, UInt64)?
    var first: UInt64 = 0
    var isClaimed = false
    let merger = try RecordMerger(runs, memory: memory / 4)
    while let batch = try merger.next() {
      try Interruption.check()
      var records: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: Self.windowFormat.words) {
        let (start, bytes) = (batch[index + 2], batch[index + 3])
        if let hash, hash == (batch[index], batch[index + 1]) {
          if !options.keepsFirst || start >= first + bytes { records += [start, start + bytes, first] }
          if !options.keepsFirst && !isClaimed { records += [first, first + bytes, start] }
          isClaimed = true
        } else {
          hash = (batch[index], batch[index + 1])
          first = start
          isClaimed = false
        }
      }
      try claims.appendEndingRuns(records)
    }
    return try claims.finish(note: Self.finished, memory: memory / 4)
  }

  /// Step 4, and the union of the claims that hold, which are all unless a hash has failed.
  private func verify(_ claims: [SortedRun], to path: String) throws {
    let own = try MappedFile(text.path)
    let others = try MappedFile(text.path, access: .random)
    let merger = try RecordMerger(claims, memory: memory / 2)
    let output = try OutputFile(path)
    var open: SpanCut?
    while let batch = try merger.next() {
      try Interruption.check()
      for index in stride(from: 0, to: batch.count, by: Self.claimFormat.words) {
        let claim = SpanCut(
          start: Int(batch[index]), end: Int(batch[index + 1]), first: Int(batch[index + 2]))
        let other = claim.first..<(claim.first + claim.end - claim.start)
        guard other.upperBound < others.bytes.count,
          memcmp(
            own.bytes.baseAddress! + claim.start, others.bytes.baseAddress! + claim.first, other.count) == 0,
          options.unit != .word || isBetweenWords(other, in: others.bytes)
        else {
          throw Failure(
            .failed, "different spans have the same hash", file: text.path,
            remedy: "The corpus holds text made for that: give another --seed, which changes nothing else")
        }
        guard let span = open else {
          open = claim
          continue
        }
        // One word after the other, but not one document.
        let isNextWord =
          options.unit == .word && claim.start == span.end + 1
          && own.bytes[span.end] != SpanText.separator
        if claim.start <= span.end || isNextWord {
          open = SpanCut(start: span.start, end: max(span.end, claim.end), first: span.first)
        } else {
          try output.write(span.bytes)
          open = claim
        }
      }
    }
    if let open { try output.write(open.bytes) }
    try output.finish()
  }

  private func isBetweenWords(_ range: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Bool {
    func isBoundary(_ byte: UInt8) -> Bool { byte == 0x20 || byte == SpanText.separator }
    return (range.lowerBound == 0 || isBoundary(bytes[range.lowerBound - 1]))
      && isBoundary(bytes[range.upperBound])
  }

  /// A sorter of this step, which begins anew.
  private func sorter(_ name: String, _ format: RecordFormat, share: Int) throws -> RecordSorter {
    try RecordSorter(
      directory: directory, name: name, format: format, memory: memory / share, pool: pool, isNew: true)
  }

  /// What the last run of a step says that has come to its end.
  private static let finished = Array("finished".utf8)

  /// The runs of a step, if an earlier run of the program has finished it.
  private func finishedRuns(_ name: String) throws -> [SortedRun]? {
    let runs = try RecordSorter.runs(name: name, in: directory)
    guard runs.last?.note == Self.finished else { return nil }
    return try RecordSorter.compacted(runs, directory: directory, name: name + "-merged", memory: memory / 4)
  }
}
