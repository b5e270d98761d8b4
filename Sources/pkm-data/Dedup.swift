import ArgumentParser
import Commands
import Corpus
import Support

struct Dedup: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Removes duplicate documents; the first occurrence stays, order kept.",
    discussion: """
      exact: documents with the same bytes (a 128-bit hash stands for them). Normalize first to catch documents that \
      differ in white space or Unicode form only. Empty documents (nothing but white space) are dropped and counted. \
      JSON lines pass byte for byte. Memory: 21 to 43 bytes for each distinct document, 32 to 64 with --report.

      --report lists one JSON object for each removed document: its file and line, the reason, and the file and line \
      of the first occurrence.

      EXAMPLES:
        pkm-data normalize raw/ | pkm-data dedup > unique.txt
        pkm-data dedup --documents paragraph --report removed.jsonl book.txt -o book.unique.txt
        pkm-data dedup pages.jsonl.zst -o unique.jsonl.zst
      """)

  enum Method: String, ExpressibleByArgument, CaseIterable { case exact }

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions

  @Option(help: "What counts as a duplicate: \(Method.list).")
  var method = Method.exact

  @Option(help: ArgumentHelp("Write what was removed, and why, as JSON lines.", valueName: "file"))
  var report: String?

  func run() throws {
    let started = Progress.now()
    let reader = try input.reader()
    let writer = try DocumentWriter(
      output.output, format: output.format, compressionThreads: options.threadCount)
    let reportFile = try report.map { try OutputFile($0) }
    var deduplicator = ExactDeduplicator(remembersFirst: report != nil)
    var counts = Summary()
    for name in ["documents_out", "duplicates_removed", "documents_empty", "words_out"] {
      counts.add(name, 0)
    }
    let pass = DocumentPass(reader: reader, options: options, label: "dedup")
    var summary = try pass.run(
      work: { batch, counts in
        counts.add("words_in", Self.words(of: batch))
        return (batch, ExactDeduplicator.hashes(of: batch))
      },
      consume: { batch, hashes in
        var batch = batch
        let removals = deduplicator.deduplicate(&batch, hashes: hashes)
        let empty = removals.count { $0.first == nil }
        counts.add("documents_out", batch.count)
        counts.add("documents_empty", empty)
        counts.add("duplicates_removed", removals.count - empty)
        counts.add("words_out", Self.words(of: batch))
        try writer.write(batch)
        for removal in removals { try reportFile?.write(reportLine(removal, files: reader.files)) }
      })
    try writer.finish()
    try reportFile?.finish()
    summary.merge(counts)
    summary.merge(writer.counts)
    summary.add("bytes_out", writer.bytesWritten)
    try options.report(summary, since: started)
  }

  private static func words(of batch: DocumentBatch) -> Int {
    var words = 0
    batch.forEachDocument { _, text in words += Words.count(in: text) }
    return words
  }

  private func reportLine(_ removal: Removal, files: [String]) -> String {
    func place(_ location: DocumentLocation) -> String {
      "\"file\":\(JSONText.quote(files[location.source])),\"line\":\(location.line)"
    }
    let reason = removal.first.map { "\"duplicate\",\"first\":{\(place($0))}" } ?? "\"empty\""
    return "{\(place(removal.location)),\"method\":\"\(method.rawValue)\",\"reason\":\(reason)}\n"
  }
}
