import Corpus
import Foundation
import Support

/// What `dedup` removes, from where to where.
package struct DedupOptions: Sendable {
  package enum Method: String, Sendable { case exact, paragraph, minhash, substring, none }

  package var input: CorpusInput
  package var output: CorpusOutput
  package var settings: StageSettings
  package var method = Method.exact
  package var exactKey = ExactKey.text
  /// What the comparison keys of documents and paragraphs keep; those of near-duplicates and evaluation sets have
  /// their own.
  package var keep: KeptDetails = []
  package var paragraph = ParagraphDedupOptions()
  package var minhash: MinHashDedupOptions
  package var substring: SubstringDedupOptions
  package var decontamination = DecontaminationOptions()
  /// Files and directories whose documents count as read before the input.
  package var seen: [String] = []
  /// The file that lists what was removed.
  package var report: String?
  /// Whether documents are only counted and reported.
  package var isDryRun = false
  /// Bytes of memory that the user gave.
  package var givenMemory: Int?
  /// Where the state of a method is kept, so that a killed run can continue.
  package var workDirectory: String?

  package init(
    input: CorpusInput, output: CorpusOutput, settings: StageSettings, minhash: MinHashDedupOptions,
    substring: SubstringDedupOptions
  ) {
    (self.input, self.output, self.settings) = (input, output, settings)
    (self.minhash, self.substring) = (minhash, substring)
  }

  /// The files of `seen`, then the input.
  var allInput: CorpusInput { input.preceded(by: seen) }

  /// How many of the files of ``allInput`` are those of `seen`.
  func seenFileCount() throws -> Int { seen.isEmpty ? 0 : try InputListing.files(seen).count }

  /// Bytes of memory for what grows with the corpus: at least 64 MiB, by default a quarter of what the process may use.
  var memory: Int { max(64 << 20, MemoryLimit.share(given: givenMemory)) }

  /// The directory of the state that this command makes from its inputs, and can make again; nil if there is none, if an
  /// input is a pipe, or if some of the output may have been passed on.
  var repeatableState: String? {
    func isFile(_ path: String) -> Bool { path != "-" && (!Path.exists(path) || Path.isRegularFile(path)) }
    guard minhash.stage == nil, report.map(isFile) != false,
      case .path(let output?) = output.sink, isDryRun || isFile(output),
      case let inputs = (try? InputListing.sources(allInput.sources).0.map(\.name)) ?? ["-"],
      !inputs.contains("-"), InputListing.size(of: inputs) != nil
    else { return nil }
    if let workDirectory { return workDirectory }
    return isDryRun ? nil : DeduplicationJob.stateDirectory(beside: output)
  }

  /// nil where documents are not compared with evaluation sets.
  func decontaminationFilter() throws -> DecontaminationFilter? {
    if decontamination.files.isEmpty { return nil }
    return try DecontaminationFilter.load(decontamination, reading: input.options)
  }
}
