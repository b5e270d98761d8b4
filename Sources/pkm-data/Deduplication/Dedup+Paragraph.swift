import Commands
import Corpus
import Foundation
import Support

extension Dedup {
  private struct Parsed: Sendable {
    let block: DocumentBlock
    let batch: DocumentBatch
    let units: ParagraphUnits
    let words: [Int]
  }

  /// One pass, documents streaming through; what comes when the memory is full is spooled and read again.
  func runParagraph() throws {
    let started = Progress.now()
    let reader = try allInput.reader()
    let screen = try screen()
    var output = try DedupOutput(self, names: reader.files, screen: screen)
    for name in ["documents_changed", "documents_too_short", "units_in", "units_removed"] {
      output.add(name, 0)
    }
    var repeated = RepeatedUnits(
      remembersLocations: report != nil, memory: DeduplicationJob.bytes(of: memory))
    var rest: (spool: BlockSpool, directory: String, pool: WorkerPool)?
    defer { if let rest { try? FileManager.default.removeItem(atPath: rest.directory) } }

    let unit: ParagraphUnit = parts.unit == .paragraph ? .paragraph : .line
    let work = { @Sendable (block: DocumentBlock, batch: DocumentBatch, counts: inout Summary) in
      let words = Self.words(of: batch)
      counts.add("words_in", words.reduce(0, +))
      counts.add("text_bytes_in", batch.textBytes)
      return Parsed(
        block: block, batch: batch, units: ParagraphUnits(batch, unit: unit), words: words)
    }
    var pass = DocumentPass(
      reader: reader, options: options, label: "dedup", screen: screen?.body, countsFrom: try seenFiles())
    var summary = try pass.run(next: reader.nextBlock, work: work) { parsed in
      if repeated.isFull {
        if rest == nil {
          let directory =
            workDir.map { Path.join($0, "paragraph") }
            ?? DeduplicationJob.temporaryDirectory(beside: self.output.output)
          try? FileManager.default.removeItem(atPath: directory)
          try SystemCall.makeDirectories(directory)
          let spool = try BlockSpool(Path.join(directory, "rest"), options: input.readerOptions())
          rest = (spool, directory, WorkerPool(threads: options.threadCount))
          if !options.quiet { Log.line("dedup: the memory is full, the rest goes by way of \(directory)") }
        }
        try rest!.spool.append(parsed.block)
        try repeated.postpone(
          parsed.units, of: parsed.batch, directory: rest!.directory, pool: rest!.pool)
      } else {
        try cut(parsed, repeats: repeated.take(parsed.units, of: parsed.batch), into: &output)
      }
    } found: {
      try output.report($0)
    }
    if let rest {
      try repeated.resolvePostponed()
      pass.warns = false
      _ = try pass.run(next: rest.spool.nextBlock, work: work) { parsed in
        try cut(parsed, repeats: repeated.take(parsed.units, of: parsed.batch), into: &output)
      }
    }
    for (rank, entry) in repeated.top.entries.enumerated() {
      summary["top_repeated_\(rank + 1)"] = .text("\(entry.repeats) times: \(entry.text)")
    }
    try output.finish(&summary)
    try options.report(summary, since: started)
  }

  private func cut(_ parsed: Parsed, repeats: UnitRepeats, into output: inout DedupOutput) throws {
    if output.hasSeen(parsed.batch) { return }
    var batch = parsed.batch
    let cutter = ParagraphCutter(minimumWords: parts.minWords, minimumCharacters: parts.minCharacters)
    let (changes, blank) = cutter.cut(&batch, parsed.units, repeats)
    output.add("units_in", parsed.units.hashes.count)
    var words = parsed.words.reduce(0, +)
    let isJSON = (self.output.format ?? batch.source.format) == .jsonl
    parsed.batch.bytes.withUnsafeBytes { bytes in
      for change in changes {
        let unit = parsed.units.units(of: change.oldIndex).first { repeats.isRepeat[$0] }
        guard let unit else { continue }
        let range = parsed.units.range(
          of: unit, of: change.oldIndex, in: parsed.batch.ranges[change.oldIndex])
        output.addSample(of: "units_removed", UnsafeRawBufferPointer(rebasing: bytes[range]))
      }
    }
    for change in changes {
      output.add("units_removed", change.removedUnits)
      words -= parsed.words[change.oldIndex]
      if let index = change.index {
        output.add("documents_changed", 1)
        words += batch.bytes.withUnsafeBytes {
          Words.count(in: UnsafeRawBufferPointer(rebasing: $0[batch.ranges[index]]))
        }
        if isJSON { try output.note("dedup_removed", json: change.shareText, at: index, of: &batch) }
      } else {
        output.add(change.removedUnits == change.unitCount ? "duplicates_removed" : "documents_too_short", 1)
      }
      try output.reportLine(change.location, reason(change, output))
    }
    for location in blank { try output.removeEmpty(at: location) }
    try output.write(batch, words: words)
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
