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
  // nil if the spans are known.
  private var text: GrowingFile?
  private var places: GrowingFile?
  private var anchors: RecordSorter?
  /// The number of batches that an earlier run has stored. Skip these.
  package let finishedBatches: Int
  /// What was added so far; lengths and checksums only where the state was noted.
  private var progress: SpanProgress
  /// The spans, if an earlier run has found them.
  private let found: SpanManifest?
  private let owner: UInt64

  /// Start, end and first occurrence of a cut.
  private static let claimFormat = RecordFormat(words: 3, kind: "claims")
  /// Position and extent of an anchor.
  private static let requestFormat = RecordFormat(words: 2, kind: "requests")
  /// 128 bits of hash, start, length in bytes.
  private static let windowFormat = RecordFormat(words: 4, lastBytes: 4, kind: "windows")

  /// If an earlier run in the directory was interrupted, it is resumed. It must have had the same input and
  /// options. `owner` is the tag of the job: see ``ResumableDirectory/tag``.
  package init(
    _ options: SpanOptions, directory: String, owner: UInt64 = 0, memory: Int, pool: WorkerPool
  ) throws {
    self.options = options
    self.owner = owner
    self.directory = directory
    self.memory = max(memory, 1 << 20)
    self.pool = pool
    try SystemCall.makeDirectories(directory)
    let manifest = SpanManifest.path(directory)
    found = Path.exists(manifest) ? try SpanManifest.read(directory) : nil
    progress = try found?.progress ?? Self.progress(in: directory)
    finishedBatches = progress.batches
    if found != nil { return }
    text = try GrowingFile(
      Path.join(directory, "text"), length: progress.textBytes, digest: progress.textChecksum)
    places = try GrowingFile(
      Path.join(directory, "places"), length: progress.placesBytes, digest: progress.placesChecksum)
    anchors = try RecordSorter(
      directory: directory, name: "anchors", format: SpanText.anchorFormat, owner: owner,
      memory: self.memory, pool: pool)
  }

  /// The digest of the blocks of ``finishedBatches`` by ``DocumentBlock/chain(_:_:)``. The skipped blocks
  /// must have the same digest.
  package var finishedDigest: UInt64 { progress.digest }

  /// Adds the next batch of the corpus. `blockDigest` is the digest of the block that it was read from.
  package func add(_ spans: SpanText, of batch: DocumentBatch, blockDigest: UInt64) throws {
    guard let anchors, let text, let places else { return }
    let base = UInt64(text.length)
    var records = spans.anchors
    for index in stride(from: 2, to: records.count, by: SpanText.anchorFormat.words) {
      records[index] += base
    }
    if records.count / SpanText.anchorFormat.words > anchors.freeCapacity { try endRun() }
    try text.append(spans.bytes)
    try places.append(DocumentOffsets.records(of: batch, ends: spans.ends, base: Int(base)))
    progress.batches += 1
    progress.digest = DocumentBlock.chain(progress.digest, blockDigest)
    try anchors.appendEndingRuns(records)
  }

  /// Ends a run of anchors with a note of the progress so far.
  private func endRun() throws {
    guard let anchors, let text, let places else { return }
    try text.sync()
    try places.sync()
    (progress.textBytes, progress.textChecksum) = (text.length, text.digest)
    (progress.placesBytes, progress.placesChecksum) = (places.length, places.digest)
    try anchors.endRun(note: Array(JSONEncoder().encode(progress)))
  }

  /// The progress of an earlier run. Unfinished runs of anchors are removed.
  private static func progress(in directory: String) throws -> SpanProgress {
    var runs = try RecordSorter.runs(name: "anchors", in: directory, format: SpanText.anchorFormat)
    while let run = runs.popLast() {
      if !run.note.isEmpty {
        let progress = try run.decodedNote(SpanProgress.self)
        try progress.check(NumberBounds(run.path, remedy: SpanManifest.remedy))
        return progress
      }
      unlink(run.path)
    }
    return SpanProgress()
  }

  private var cutsPath: String { Path.join(directory, "cuts") }
  private var textPath: String { Path.join(directory, "text") }

  /// The spans to cut, after every batch was added.
  package func cuts() throws -> SpanCuts {
    let offsets = Path.join(directory, "places")
    if let found {
      return try SpanCuts(
        cutsPath, found, offsets: DocumentOffsets(offsets, found.progress), options: options)
    }
    try endRun()
    let runs = try anchors!.finish(memory: memory)
    anchors = nil
    let (claims, requests) = try groupAnchors(runs)
    let windowRuns = try hashWindows(requests)
    let moreClaims = try groupWindows(windowRuns)
    let (count, checksum) = try verify(claims + moreClaims, to: cutsPath)
    let manifest = SpanManifest(progress: progress, cuts: count, cutsChecksum: checksum)
    try JSONFile.writeSealed(manifest, to: SpanManifest.path(directory))
    return try SpanCuts(cutsPath, manifest, offsets: DocumentOffsets(offsets, progress), options: options)
  }

  /// A record that points outside the text, or whose parts contradict each other.
  private func misfit(_ kind: String) -> Failure {
    Failure(
      .badInput, "a record of the \(kind) points outside the text", file: directory,
      remedy: SpanManifest.remedy)
  }

  /// Step 2 of the algorithm.
  private func groupAnchors(_ runs: [SortedRun]) throws -> (claims: [SortedRun], requests: [SortedRun]) {
    // The requests are written last.
    if let requests = try finishedRuns("requests", Self.requestFormat),
      let claims = try finishedRuns("claims", Self.claimFormat)
    {
      return (claims, requests)
    }
    let claims = try sorter("claims", Self.claimFormat, share: 4)
    let requests = try sorter("requests", Self.requestFormat, share: 4)
    var kmer: UInt64?
    var context: UInt64 = 0
    // The first anchor of the context, and whether it was already requested or claimed.
    var (first, firstExtent): (UInt64, UInt64) = (0, 0)
    var (isRequested, isClaimed) = (false, false)
    let length = UInt64(progress.textBytes)
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
        let isSame = batch[index] == kmer && batch[index + 1] == context
        // The context is hashed with its extent, so equal ones have equal extents.
        guard position <= length, extent >> 32 <= position, extent & 0xffff_ffff <= length - position,
          !isSame || extent == firstExtent
        else { throw misfit("anchors") }
        if isSame {
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
      try claims.finish(note: finished, memory: memory / 4),
      try requests.finish(note: finished, memory: memory / 4)
    )
  }

  /// Step 3, first half. The requests are in the order of the text.
  private func hashWindows(_ requests: [SortedRun]) throws -> [SortedRun] {
    if let runs = try finishedRuns("windows", Self.windowFormat) { return runs }
    let windows = try sorter("windows", Self.windowFormat, share: 2)
    let file = try MappedFile(textPath)
    let length = UInt64(file.bytes.count)
    let merger = try RecordMerger(requests, memory: memory / 4)
    // Windows that start before this offset were hashed for the previous anchor.
    var next = 0
    while let batch = try merger.next() {
      try Interruption.check()
      var records: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: Self.requestFormat.words) {
        let extent = batch[index + 1]
        guard batch[index] <= length, extent >> 32 <= batch[index],
          extent & 0xffff_ffff <= length - batch[index]
        else { throw misfit("requests") }
        let position = Int(batch[index])
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
    return try windows.finish(note: finished, memory: memory / 2)
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
    if let runs = try finishedRuns("window-claims", Self.claimFormat) { return runs }
    let claims = try sorter("window-claims", Self.claimFormat, share: 2)
    var hash: (UInt64, UInt64)?
    var first: UInt64 = 0
    var isClaimed = false
    let length = UInt64(progress.textBytes)
    let merger = try RecordMerger(runs, memory: memory / 4)
    while let batch = try merger.next() {
      try Interruption.check()
      var records: [UInt64] = []
      for index in stride(from: 0, to: batch.count, by: Self.windowFormat.words) {
        let (start, bytes) = (batch[index + 2], batch[index + 3])
        guard start <= length, bytes <= length - start else { throw misfit("windows") }
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
    return try claims.finish(note: finished, memory: memory / 4)
  }

  /// Step 4: writes the union of the confirmed claims, and returns their number and the XXH64 of the file. All
  /// claims are true unless hashes collide.
  private func verify(_ claims: [SortedRun], to path: String) throws -> (count: Int, checksum: UInt64) {
    let own = try MappedFile(textPath)
    let others = try MappedFile(textPath, access: .random)
    let merger = try RecordMerger(claims, memory: memory / 2)
    let output = try OutputFile(path)
    let length = UInt64(own.bytes.count)
    let hash = StreamingXXH64()
    var count = 0
    func write(_ span: SpanCut) throws {
      let bytes = span.bytes
      bytes.withUnsafeBytes { hash.update($0) }
      try output.write(bytes)
      count += 1
    }
    var open: SpanCut?
    while let batch = try merger.next() {
      try Interruption.check()
      for index in stride(from: 0, to: batch.count, by: Self.claimFormat.words) {
        let (start, end, first) = (batch[index], batch[index + 1], batch[index + 2])
        guard start <= end, end < length, first < length, end - start < length - first else {
          throw misfit("claims")
        }
        let claim = SpanCut(
          start: Int(batch[index]), end: Int(batch[index + 1]), first: Int(batch[index + 2]))
        let other = claim.first..<(claim.first + claim.end - claim.start)
        guard other.upperBound < others.bytes.count,
          memcmp(
            own.bytes.baseAddress! + claim.start, others.bytes.baseAddress! + claim.first, other.count) == 0,
          options.unit != .word || isBetweenWords(other, in: others.bytes)
        else {
          throw Failure(
            .failed, "different spans have the same hash", file: textPath,
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
          try write(span)
          open = claim
        }
      }
    }
    if let open { try write(open) }
    try output.finish()
    return (count, hash.digest)
  }

  private func isBetweenWords(_ range: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Bool {
    func isBoundary(_ byte: UInt8) -> Bool { byte == 0x20 || byte == SpanText.separator }
    return (range.lowerBound == 0 || isBoundary(bytes[range.lowerBound - 1]))
      && isBoundary(bytes[range.upperBound])
  }

  /// A sorter for one step. It does not resume.
  private func sorter(_ name: String, _ format: RecordFormat, share: Int) throws -> RecordSorter {
    try RecordSorter(
      directory: directory, name: name, format: format, owner: owner, memory: memory / share, pool: pool,
      isNew: true)
  }

  /// The note of the last run of a finished step, with the text that it belongs to.
  private var finished: [UInt8] { Array("finished \(progress.textChecksum ?? 0) \(progress.digest)".utf8) }

  /// The runs of a step if it was finished earlier.
  private func finishedRuns(_ name: String, _ format: RecordFormat) throws -> [SortedRun]? {
    let runs = try RecordSorter.runs(name: name, in: directory, format: format)
    // What another job has left, or this one of other text, is made again.
    guard let last = runs.last, last.note == finished, runs.allSatisfy({ $0.owner == owner }) else {
      return nil
    }
    return try RecordSorter.compacted(runs, directory: directory, name: name + "-merged", memory: memory / 4)
  }
}
