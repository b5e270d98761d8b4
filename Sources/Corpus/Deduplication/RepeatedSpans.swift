import Foundation
import Support

/// Finds exactly all spans of at least a given number of units that occur more than once in a corpus.
///
/// Lee et al., 2022, remove such spans from training data and find them with suffix arrays.
///
/// A window is `length` consecutive units of one document. If the first occurrence is kept, a window is cut
/// if the same units occur earlier without overlapping it; otherwise it is cut if they occur anywhere else.
/// The union of these windows is removed. (In a text that repeats itself the first window is kept. The suffix
/// array tools, in which occurrences may overlap, keep nothing of it.)
///
/// No index of all positions is needed:
/// 1. Anchors (``Minimizers``): equal windows have their anchors at the same relative position. The records
///    of all anchors are sorted by a hash of the k-mer and a hash of its context, that is, all windows around
///    it.
/// 2. If anchors have the same k-mer and the same context, every window around them repeats the windows
///    around the first one. These are most of the repeats, at one record per w / 2 positions or so. Anchors
///    with the same k-mer in several contexts mark the ends of repeats. One anchor per context is passed on
///    to the next step, and also those that overlap the first of their context.
/// 3. The windows around these anchors are hashed one by one (128 bits) and sorted.
/// 4. Every claim of steps 2 and 3 is confirmed by comparing the bytes with the earlier occurrence. Hashes
///    only decide what is compared.
///
/// Memory: the given limit; the compared text and the sorted runs are stored in the work directory and
/// mapped. Disk: the text in its compared form once, 16 bytes per document, 32 bytes per anchor (two per w +
/// 1 units), and in steps 2 and 3 24 to 32 bytes per repeated anchor and per window at the end of a repeat.
package final class RepeatedSpans {
  private let options: SpanOptions
  private let directory: String
  private let memory: Int
  private let pool: WorkerPool
  private let text: GrowingFile
  private let offsets: GrowingFile
  private var anchors: RecordSorter?
  /// The number of batches that an earlier run has stored. Skip these.
  package let finishedBatches: Int
  private var batches: Int
  /// The digest of all blocks so far.
  private var digest: UInt64

  /// Start, end and first occurrence of a cut.
  private static let claimFormat = RecordFormat(words: 3)
  /// Position and extent of an anchor.
  private static let requestFormat = RecordFormat(words: 2)
  /// 128 bits of hash, start, length in bytes.
  private static let windowFormat = RecordFormat(words: 4, lastBytes: 4)

  /// If an earlier run in the directory was interrupted, it is resumed. It must have had the same input and
  /// options.
  package init(_ options: SpanOptions, directory: String, memory: Int, pool: WorkerPool) throws {
    self.options = options
    self.directory = directory
    self.memory = max(memory, 1 << 20)
    self.pool = pool
    try SystemCall.makeDirectories(directory)
    let progress = try Self.progress(in: directory)
    text = try GrowingFile(Path.join(directory, "text"), length: progress.textBytes)
    offsets = try GrowingFile(Path.join(directory, "places"), length: progress.offsetBytes)
    finishedBatches = progress.batches
    batches = progress.batches
    digest = progress.digest
    if !Path.exists(Path.join(directory, "cuts")) {
      anchors = try RecordSorter(
        directory: directory, name: "anchors", format: SpanText.anchorFormat, memory: self.memory, pool: pool)
    }
  }

  /// The digest of the blocks of ``finishedBatches`` by ``DocumentBlock/chain(_:_:)``. The skipped blocks
  /// must have the same digest.
  package var finishedDigest: UInt64 { digest }

  /// Adds the next batch of the corpus. `blockDigest` is the digest of the block that it was read from.
  package func add(_ spans: SpanText, of batch: DocumentBatch, blockDigest: UInt64) throws {
    guard let anchors else { return }
    let base = UInt64(text.length)
    var records = spans.anchors
    for index in stride(from: 2, to: records.count, by: SpanText.anchorFormat.words) {
      records[index] += base
    }
    if records.count / SpanText.anchorFormat.words > anchors.freeCapacity { try endRun() }
    try text.append(spans.bytes)
    try offsets.append(DocumentOffsets.records(of: batch, ends: spans.ends, base: Int(base)))
    batches += 1
    digest = DocumentBlock.chain(digest, blockDigest)
    try anchors.appendEndingRuns(records)
  }

  /// Ends a run of anchors with a note of the progress so far.
  private func endRun() throws {
    try text.sync()
    try offsets.sync()
    try anchors!.endRun(note: Array("\(batches) \(text.length) \(offsets.length) \(digest)".utf8))
  }

  /// The progress of an earlier run. Unfinished runs of anchors are removed.
  private static func progress(in directory: String) throws -> (
    batches: Int, textBytes: Int, offsetBytes: Int, digest: UInt64
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

  /// The spans to cut, after every batch was added.
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
    try offsets.flush()
    return try SpanCuts(path, offsets: DocumentOffsets(offsets.path), digest: digest, options: options)
  }

  /// Step 2 of the algorithm.
  private func groupAnchors(_ runs: [SortedRun]) throws -> (claims: [SortedRun], requests: [SortedRun]) {
    // The requests are written last.
    if let requests = try finishedRuns("requests"), let claims = try finishedRuns("claims") {
      return (claims, requests)
    }
    let claims = try sorter("claims", Self.claimFormat, share: 4)
    let requests = try sorter("requests", Self.requestFormat, share: 4)
    var kmer: UInt64?
    var context: UInt64 = 0
    // The first anchor of the context, and whether it was already requested or claimed.
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

  /// Step 3, first half. The requests are in the order of the text.
  private func hashWindows(_ requests: [SortedRun]) throws -> [SortedRun] {
    if let runs = try finishedRuns("windows") { return runs }
    let windows = try sorter("windows", Self.windowFormat, share: 2)
    let file = try MappedFile(text.path)
    let merger = try RecordMerger(requests, memory: memory / 4)
    // Windows that start before this offset were hashed for the previous anchor.
    var next = 0
    while let batch = try merger.next() {
      try Interruption.check()
      var records: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: Self.requestFormat.words) {
        let position = Int(batch[index])
        let extent = batch[index + 1]
        let (from, to) = (position - Int(extent >> 32), position + Int(extent & 0xffff_ffff))
        let starts = unitStarts(in: file.bytes, from: from, to: to)
        // The window of unit i ends where unit i + length starts, minus the space between words.
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

  /// The starts of the units between two boundaries, and the start of a unit after them.
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

  /// Step 4: writes the union of the confirmed claims. All claims are true unless hashes collide.
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
            remedy:
              "The corpus contains text crafted for this. Give another --seed, which changes nothing else")
        }
        guard let span = open else {
          open = claim
          continue
        }
        // Adjacent words are joined, adjacent documents are not.
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

  /// A sorter for one step. It does not resume.
  private func sorter(_ name: String, _ format: RecordFormat, share: Int) throws -> RecordSorter {
    try RecordSorter(
      directory: directory, name: name, format: format, memory: memory / share, pool: pool, isNew: true)
  }

  /// The note of the last run of a finished step.
  private static let finished = Array("finished".utf8)

  /// The runs of a step if it was finished earlier.
  private func finishedRuns(_ name: String) throws -> [SortedRun]? {
    let runs = try RecordSorter.runs(name: name, in: directory)
    guard runs.last?.note == Self.finished else { return nil }
    return try RecordSorter.compacted(runs, directory: directory, name: name + "-merged", memory: memory / 4)
  }
}
