import ArgumentParser
import Commands
import Corpus
import Support

struct Normalize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Unicode normalization and clean-up; text in, text out, order kept.",
    discussion: """
      In this order: --transform; control clean-up (control, zero-width and bidirectional characters, soft hyphens \
      and byte order marks go; joiners stay where Arabic, Indic scripts and emoji use them); the normalization form; \
      --case; --strip-accents; --punctuation; white space clean-up (a run becomes one space, or one line end if it \
      holds one, or two if it holds more; documents are trimmed). As many documents come out as went in: a line stays \
      a line, even an empty one. JSON fields other than the text are kept byte for byte.

      Invalid UTF-8 becomes U+FFFD, one for each maximal ill-formed part; broken JSON lines are skipped; damaged \
      gzip or zstd files are read up to the break. All of it is counted in the summary, and fatal with --strict.

      EXAMPLES:
        cat raw.txt | pkm-data normalize > clean.txt
        pkm-data normalize --form nfc --case lower books/ -o clean.txt.zst
        pkm-data normalize --text-field body --output-format text pages.jsonl.gz -o pages.txt

      ICU \(Normalizer.icuVersion), Unicode \(Normalizer.unicodeVersion).
      """)

  enum Form: String, ExpressibleByArgument, CaseIterable { case nfc, nfkc, nfd, nfkd, none }
  enum Case: String, ExpressibleByArgument, CaseIterable { case none, lower, fold }

  @OptionGroup var input: InputOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var options: RunOptions

  @Option(help: "The normalization form: \(Form.list).")
  var form = Form.nfkc

  @Option(help: "What happens to capitals: \(Case.list) (fold is for comparing, not for reading).")
  var `case` = Case.none

  @Flag(help: "Remove accents from Latin, Greek and Cyrillic letters.")
  var stripAccents = false

  @Option(
    help: ArgumentHelp(
      "An ICU transliterator: Latin-ASCII, or rules such as \"ä > ae;\".", valueName: "rules"))
  var transform: String?

  @Flag(help: "Typographic quotes, dashes and ellipses become ASCII.")
  var punctuation = false

  @Flag(help: "No white space clean-up.")
  var keepWhitespace = false

  @Flag(help: "No control clean-up.")
  var keepControls = false

  func run() throws {
    let started = Progress.now()
    let normalizer = try Normalizer(
      NormalizationOptions(
        form: .init(rawValue: form.rawValue)!, letterCase: .init(rawValue: `case`.rawValue)!,
        stripsAccents: stripAccents, transform: transform, plainsPunctuation: punctuation,
        cleansWhitespace: !keepWhitespace, cleansControls: !keepControls))
    let renderer = DocumentRenderer(format: output.format)
    let pass = DocumentPass(reader: try input.reader(), options: options, label: "normalize")
    let file = try OutputFile(output.output, compressionThreads: options.threadCount)
    var summary = try pass.run(
      work: { batch, counts in
        let normalized = try normalizer.normalize(batch)
        counts = normalized.counts
        counts.add("documents_out", normalized.count)
        return renderer.render(normalized, counts: &counts)
      },
      consume: { bytes in try file.write(bytes) })
    try file.finish()
    summary.add("documents_out", 0)
    summary.add("bytes_out", file.bytesWritten)
    summary["icu_version"] = .text(Normalizer.icuVersion)
    summary["unicode_version"] = .text(Normalizer.unicodeVersion)
    try options.report(summary, since: started)
  }
}
