import Commands
import Corpus
import Support

/// Where deduplicated documents go, with the report and the counts that every method gives.
struct DedupOutput {
  private let writer: DocumentWriter?
  private let format: DocumentFormat?
  private let report: OutputFile?
  private let method: String
  /// The inputs as the user named them.
  private let names: [String]
  /// How many of the inputs are known already, and no part of the output.
  private let seenFiles: Int
  private(set) var counts = Summary()

  /// `screen` is what documents go through before.
  init(_ command: Dedup, of inputs: DocumentInputs, names: [String], screen: DocumentScreen? = nil) throws {
    // A mark needs somewhere to be.
    format = try command.output.format(of: inputs) ?? (command.evaluation.mark ? .jsonl : nil)
    writer =
      try command.dryRun
      ? nil
      : DocumentWriter(
        command.output.output, format: format, compressionThreads: command.options.threadCount)
    report = try command.report.map { try OutputFile($0) }
    method = command.chosenMethod.rawValue
    self.names = names
    seenFiles = try command.seenFiles()
    for name in ["documents_out", "duplicates_removed", "documents_empty", "words_out", "text_bytes_out"] {
      counts.add(name, 0)
    }
    if let screen { counts.merge(screen.counts) }
  }

  /// What the screen has found.
  func report(_ found: [DocumentPass.Found]) throws {
    for document in found { try reportLine(document.location, document.reason) }
  }

  /// Whether documents have fields where they go.
  func writesFields(of batch: DocumentBatch) -> Bool { (format ?? batch.source.format) != .text }

  /// Whether the documents are known already: nothing about them is written or counted.
  func hasSeen(_ batch: DocumentBatch) -> Bool { batch.source.index < seenFiles }

  mutating func add(_ name: String, _ count: Int) { counts.add(name, count) }

  mutating func addSample(of name: String, _ text: UnsafeRawBufferPointer) {
    counts.addSample(of: name, text)
  }

  /// The documents of a batch but for some, given in ascending order.
  ///
  /// `words` are those of all.
  mutating func write(_ batch: inout DocumentBatch, words: Int, without removed: [Int]) throws {
    if hasSeen(batch) { return }
    let kept = words - removed.reduce(0) { $0 + batch.words(at: $1) }
    if !removed.isEmpty {
      batch.bytes.withUnsafeBytes { bytes in
        for index in removed.prefix(Summary.sampleLimit) where !batch.isBlank(at: index) {
          addSample(of: "duplicates_removed", UnsafeRawBufferPointer(rebasing: bytes[batch.ranges[index]]))
        }
      }
      var next = removed[...]
      batch.keep { index in
        if next.first != index { return true }
        next.removeFirst()
        return false
      }
    }
    try write(batch, words: kept)
  }

  /// All documents of a batch, with the words in them.
  mutating func write(_ batch: DocumentBatch, words: Int) throws {
    if hasSeen(batch) { return }
    counts.add("documents_out", batch.count)
    counts.add("words_out", words)
    counts.add("text_bytes_out", batch.textBytes)
    try writer?.write(batch)
  }

  /// Adds a field to a document of JSON; one that has a field of that name already, from an earlier run, keeps it.
  mutating func note(_ name: String, json value: String, at index: Int, of batch: inout DocumentBatch)
    throws
  {
    if try batch.hasField(name, at: index) {
      counts.add("fields_kept")
    } else {
      batch.addField(name, json: value, at: index)
    }
  }

  mutating func removeEmpty(at location: DocumentLocation) throws {
    if location.source < seenFiles { return }
    counts.add("documents_empty")
    try reportLine(location, "\"empty\"")
  }

  /// `similarity`: the Jaccard index of the two, exact or estimated; nil where it is not known.
  ///
  /// `inputs` are those that `kept` is one of, unless these are the same.
  mutating func remove(
    at location: DocumentLocation, duplicateOf kept: DocumentLocation, of inputs: [String]? = nil,
    similarity: Double?
  ) throws {
    if location.source < seenFiles { return }
    counts.add("duplicates_removed")
    guard report != nil else { return }
    let number = similarity.map { String(($0 * 1e4).rounded() / 1e4) } ?? "null"
    try reportLine(
      location,
      "\"duplicate\",\"duplicate_of\":{\(place(kept, inputs ?? names))},\"similarity\":\(number)")
  }

  /// `reason`: a JSON string, and further fields.
  func reportLine(_ location: DocumentLocation, _ reason: @autoclosure () -> String) throws {
    try report?.write("{\(place(location, names)),\"method\":\"\(method)\",\"reason\":\(reason())}\n")
  }

  /// A document as the fields of a JSON object; `inputs` where it is not one of these.
  func place(_ location: DocumentLocation, _ inputs: [String]? = nil) -> String {
    "\"file\":\(JSONText.quote((inputs ?? names)[location.source])),\"line\":\(location.line)"
  }

  /// `clusters_of_2`, `clusters_of_3`, `clusters_of_4_to_7`, … and the size of the largest.
  ///
  /// `sizes`: the number of clusters of each size.
  mutating func addClusters(_ sizes: [Int: Int]) {
    counts.add("clusters", sizes.values.reduce(0, +))
    counts.add("largest_cluster", sizes.keys.max() ?? 0)
    for (size, count) in sizes.sorted(by: { $0.key < $1.key }) {
      let lower = size < 4 ? size : 1 << (Int.bitWidth - 1 - size.leadingZeroBitCount)
      counts.add(size < 4 ? "clusters_of_\(size)" : "clusters_of_\(lower)_to_\(2 * lower - 1)", count)
    }
  }

  /// The files appear; the counts are added to those of the reading.
  mutating func finish(_ summary: inout Summary) throws {
    try writer?.finish()
    try report?.finish()
    summary.merge(counts)
    if let writer {
      summary.merge(writer.counts)
      summary.add("bytes_out", writer.bytesWritten)
    }
  }
}
