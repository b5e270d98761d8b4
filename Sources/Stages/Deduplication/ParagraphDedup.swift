import Corpus
import Support

/// Removes lines, or paragraphs, that occurred before, and documents of which too little is left.
///
/// The scheme is CCNet's (Wenzek et al., 2020), which also removes the first occurrence; here it stays.
struct ParagraphDedup {
  let options: DedupOptions

  func run() throws -> Summary {
    let unit = options.paragraph.unit
    let keep = options.keep
    let seed = options.settings.givenSeed ?? 0
    let remembersLocations = options.report != nil
    let pass = try StreamingPass(
      options,
      identity: """
        paragraph \(unit.rawValue) \(keep.rawValue) \(ComparisonKey.version) \(seed) \(remembersLocations)
        """)
    var repeated =
      if let workplace = try pass.workplace() {
        try RepeatedUnits(
          directory: workplace.directory, remembersLocations: remembersLocations, owner: workplace.tag,
          memory: options.memory, pool: workplace.pool)
      } else {
        try RepeatedUnits(remembersLocations: remembersLocations, memory: options.memory)
      }
    let finished = repeated.finished
    var output = try DedupOutput(
      options, of: pass.inputs, names: pass.names, decontamination: pass.decontamination)
    for name in [CountName.documentsChanged, .documentsTooShort, .unitsIn, .unitsRemoved] {
      output.add(name, 0)
    }
    var summary = try pass.run(
      finished: (finished.blocks, finished.digest, repeated.isResolved),
      work: { ParagraphUnits($0, unit: unit, keep: keep, seed: seed) },
      isFull: { repeated.isFull },
      take: { batch, units, words in
        try cut(&batch, units, repeats: repeated.take(units, of: batch), words: words, into: &output)
      },
      postpone: { batch, digest, units, workplace in
        try repeated.postpone(
          units, of: batch, blockDigest: digest, directory: workplace.directory, pool: workplace.pool)
      },
      resolve: { try repeated.resolvePostponed() },
      onMatches: { try output.report($0) })
    for (rank, entry) in repeated.top.entries.enumerated() {
      summary[.topRepeated(rank + 1)] = .text("\(entry.repeats) times: \(entry.text)")
    }
    try output.finish(&summary)
    return summary
  }

  /// `words` counts those of the batch.
  private func cut(
    _ batch: inout DocumentBatch, _ units: ParagraphUnits, repeats: UnitRepeats, words: Int,
    into output: inout DedupOutput
  ) throws {
    if output.hasSeen(batch) { return }
    let oldRanges = batch.ranges
    let cutter = ParagraphCutter(
      minimumWords: options.paragraph.minimumWords, minimumCharacters: options.paragraph.minimumCharacters)
    let (changes, blank) = cutter.cut(&batch, units, repeats)
    let hasFields = output.writesFields(of: batch)
    batch.bytes.withUnsafeBytes { bytes in
      for change in changes.prefix(Summary.sampleLimit) {
        let unit = units.units(of: change.oldIndex).first { repeats.isRepeat[$0] }
        guard let unit else { continue }
        let range = units.range(of: unit, of: change.oldIndex, in: oldRanges[change.oldIndex])
        output.addSample(of: .unitsRemoved, UnsafeRawBufferPointer(rebasing: bytes[range]))
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
      try report(change, to: output)
    }
    output.add(.unitsIn, units.hashes.count)
    output.add(.unitsRemoved, removedUnits)
    output.add(.documentsChanged, changed)
    output.add(.duplicatesRemoved, duplicates)
    output.add(.documentsTooShort, tooShort)
    for location in blank { try output.removeEmpty(at: location) }
    try output.write(batch, words: words - removedWords)
  }

  private func report(_ change: ParagraphCutter.Change, to output: DedupOutput) throws {
    let reason =
      change.index != nil
      ? "units_removed" : change.removedUnits == change.unitCount ? "duplicate" : "too_short"
    if output.isReporting { for first in change.firsts { try output.check(first) } }
    try output.reportLine(change.location, reason) { json in
      json.member("units", change.unitCount)
      json.member("units_removed", change.removedUnits)
      json.member("removed", json: change.shareText)
      json.key("duplicate_of")
      json.array { json in
        for first in change.firsts { json.object { output.write(first, to: &$0) } }
      }
    }
  }
}
