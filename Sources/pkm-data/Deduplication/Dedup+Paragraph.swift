import Commands
import Corpus
import Support

extension Dedup {
  func runParagraph() throws {
    let started = Progress.now()
    let reader = try allInput.reader()
    let screen = try screen()
    var output = try DedupOutput(self, of: reader.inputs, names: reader.files, screen: screen)
    for name in ["documents_changed", "documents_too_short", "units_in", "units_removed"] {
      output.add(name, 0)
    }
    var repeated = try RepeatedUnits(
      remembersLocations: report != nil, memory: DeduplicationJob.bytes(of: memory))
    let unit: ParagraphUnit = parts.unit == .paragraph ? .paragraph : .line
    let seed = options.givenSeed ?? 0
    var summary = try StreamingPass(self, reader: reader, screen: screen).run(
      work: { ParagraphUnits($0, unit: unit, seed: seed) },
      isFull: { repeated.isFull },
      take: { batch, units, words in
        try cut(batch, units, repeats: repeated.take(units, of: batch), words: words, into: &output)
      },
      postpone: { batch, _, units, rest in
        try repeated.postpone(units, of: batch, directory: rest.directory, pool: rest.pool)
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
    _ old: DocumentBatch, _ units: ParagraphUnits, repeats: UnitRepeats, words: Int,
    into output: inout DedupOutput
  ) throws {
    if output.hasSeen(old) { return }
    let cutter = ParagraphCutter(minimumWords: parts.minWords, minimumCharacters: parts.minCharacters)
    var (batch, changes, blank) = cutter.cut(old, units, repeats)
    let hasFields = output.writesFields(of: batch)
    old.bytes.withUnsafeBytes { bytes in
      for change in changes.prefix(Summary.sampleLimit) {
        let unit = units.units(of: change.oldIndex).first { repeats.isRepeat[$0] }
        guard let unit else { continue }
        let range = units.range(of: unit, of: change.oldIndex, in: old.ranges[change.oldIndex])
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
