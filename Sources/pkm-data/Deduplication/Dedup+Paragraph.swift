import Commands
import Corpus
import Support

extension Dedup {
  func runParagraph() throws {
    let started = Progress.now()
    let unit: ParagraphUnit = parts.unit == .paragraph ? .paragraph : .line
    let (seed, memory) = (options.givenSeed ?? 0, DeduplicationJob.bytes(of: memory))
    let pass = try StreamingPass(
      self, settings: "paragraph \(unit.rawValue) \(seed) \(report != nil)")
    var repeated =
      if let place = try pass.place() {
        try RepeatedUnits(
          directory: place.directory, remembersLocations: report != nil, memory: memory, pool: place.pool)
      } else {
        try RepeatedUnits(remembersLocations: report != nil, memory: memory)
      }
    let finished = repeated.finished
    var output = try DedupOutput(self, of: pass.inputs, names: pass.names, screen: pass.screen)
    for name in ["documents_changed", "documents_too_short", "units_in", "units_removed"] {
      output.add(name, 0)
    }
    var summary = try pass.run(
      finished: (finished.blocks, finished.digest, repeated.isResolved),
      work: { ParagraphUnits($0, unit: unit, seed: seed) },
      isFull: { repeated.isFull },
      take: { batch, units, words in
        try cut(&batch, units, repeats: repeated.take(units, of: batch), words: words, into: &output)
      },
      postpone: { batch, digest, units, place in
        try repeated.postpone(
          units, of: batch, blockDigest: digest, directory: place.directory, pool: place.pool)
      },
      resolve: { try repeated.resolvePostponed() },
      found: { try output.report($0) })
    for (rank, entry) in repeated.top.entries.enumerated() {
      summary["top_repeated_\(rank + 1)"] = .text("\(entry.repeats) times: \(entry.text)")
    }
    try output.finish(&summary)
    try options.report(summary, since: started)
  }

  /// `words`: those of the batch.
  private func cut(
    _ batch: inout DocumentBatch, _ units: ParagraphUnits, repeats: UnitRepeats, words: Int,
    into output: inout DedupOutput
  ) throws {
    if output.hasSeen(batch) { return }
    let oldRanges = batch.ranges
    let cutter = ParagraphCutter(minimumWords: parts.minWords, minimumCharacters: parts.minCharacters)
    let (changes, blank) = cutter.cut(&batch, units, repeats)
    let hasFields = output.writesFields(of: batch)
    batch.bytes.withUnsafeBytes { bytes in
      for change in changes.prefix(Summary.sampleLimit) {
        let unit = units.units(of: change.oldIndex).first { repeats.isRepeat[$0] }
        guard let unit else { continue }
        let range = units.range(of: unit, of: change.oldIndex, in: oldRanges[change.oldIndex])
        output.addSample(of: "units_removed", UnsafeRawBufferPointer(rebasing: bytes[range]))
      }
    }
    var (changed, duplicates, tooShort, removedUnits, removedWords) = (0, 0, 0, 0, 0)
    for change in changes {
      removedUnits += change.removedUnits
      removedWords += change.removedWords
      if let index = change.index {
        changed += 1
        if hasFields { try output.note("dedup_removed", json: change.shareText, at: index, of: &batch) }
      } else if change.removedUnits == change.unitCount {
        duplicates += 1
      } else {
        tooShort += 1
      }
      try output.reportLine(change.location, reason(change, output))
    }
    output.add("units_in", units.hashes.count)
    output.add("units_removed", removedUnits)
    output.add("documents_changed", changed)
    output.add("duplicates_removed", duplicates)
    output.add("documents_too_short", tooShort)
    for location in blank { try output.removeEmpty(at: location) }
    try output.write(batch, words: words - removedWords)
  }

  private func reason(_ change: ParagraphCutter.Change, _ output: DedupOutput) -> String {
    let reason =
      change.index != nil
      ? "units_removed" : change.removedUnits == change.unitCount ? "duplicate" : "too_short"
    let firsts = change.firsts.map { "{\(output.place($0))}" }.joined(separator: ",")
    return """
      "\(reason)","units":\(change.unitCount),"units_removed":\(change.removedUnits),\
      "removed":\(change.shareText),"duplicate_of":[\(firsts)]
      """
  }
}
