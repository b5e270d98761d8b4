import Corpus
import Support

/// The output of every method: the remaining documents, the report and the counts.
struct DedupOutput {
  private let writer: DocumentWriter?
  private let format: DocumentFormat?
  private let report: OutputFile?
  private let method: String
  /// The inputs as the user named them.
  private let names: [String]
  /// How many of the inputs count as read before, and are no part of the output.
  private let seenFiles: Int
  private(set) var counts = Summary()

  /// `names` are those of the inputs where they differ from what is read.
  init(
    _ options: DedupOptions, of inputs: DocumentInputs, names: [String]? = nil,
    decontamination: DecontaminationFilter?
  ) throws {
    // A mark needs a field.
    format = try options.output.format(of: inputs) ?? (options.decontamination.isMarking ? .jsonl : nil)
    writer =
      try options.isDryRun
      ? nil
      : DocumentWriter(
        options.output.sink, format: format, compressionThreads: options.settings.threads)
    report = try options.report.map { try OutputFile($0) }
    method = options.method.rawValue
    self.names = names ?? inputs.files
    seenFiles = try options.seenFileCount()
    for name in [
      CountName.documentsOut, .duplicatesRemoved, .documentsEmpty, .wordsOut, .textBytesOut,
    ] {
      counts.add(name, 0)
    }
    if let decontamination { counts.merge(decontamination.counts) }
  }

  /// Lists documents that match an evaluation set.
  func report(_ matches: [DecontaminationFilter.Match]) throws {
    for match in matches {
      try reportLine(match.location, "contaminated") { match.overlap.write(to: &$0) }
    }
  }

  /// Whether the documents of a batch are written with fields.
  func writesFields(of batch: DocumentBatch) -> Bool { (format ?? batch.source.format) != .text }

  /// Whether the documents count as read before the input: they are neither written nor counted.
  func hasSeen(_ batch: DocumentBatch) -> Bool { batch.source.index < seenFiles }

  mutating func add(_ name: CountName, _ count: Int) { counts.add(name, count) }

  mutating func addSample(of name: CountName, _ text: UnsafeRawBufferPointer) {
    counts.addSample(of: name, text)
  }

  /// Writes a batch without the documents `removed`, which are in ascending order.
  ///
  /// `words` counts those of all documents.
  mutating func write(_ batch: inout DocumentBatch, words: Int, without removed: [Int]) throws {
    if hasSeen(batch) { return }
    let kept = words - removed.reduce(0) { $0 + batch.words(at: $1) }
    if !removed.isEmpty {
      batch.bytes.withUnsafeBytes { bytes in
        for index in removed.prefix(Summary.sampleLimit) where !batch.isBlank(at: index) {
          addSample(of: .duplicatesRemoved, UnsafeRawBufferPointer(rebasing: bytes[batch.ranges[index]]))
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

  /// Writes all documents of a batch, which have so many words.
  mutating func write(_ batch: DocumentBatch, words: Int) throws {
    if hasSeen(batch) { return }
    counts.add(.documentsOut, batch.count)
    counts.add(.wordsOut, words)
    counts.add(.textBytesOut, batch.textBytes)
    try writer?.write(batch)
  }

  /// Adds a field to a JSON document, which keeps a field of that name from an earlier run.
  mutating func note(_ name: String, json value: String, at index: Int, of batch: inout DocumentBatch)
    throws
  {
    if try batch.hasField(name, at: index) {
      counts.add(.fieldsKept)
    } else {
      batch.addField(name, json: value, at: index)
    }
  }

  mutating func removeEmpty(at location: DocumentLocation) throws {
    if location.source < seenFiles { return }
    counts.add(.documentsEmpty)
    try reportLine(location, "empty")
  }

  /// Counts and reports a duplicate.
  ///
  /// `similarity` is the Jaccard index of the two documents, exact or estimated; nil where it is not known. `inputs` names
  /// the files that `kept` refers to, where they are not those of this run.
  mutating func remove(
    at location: DocumentLocation, duplicateOf kept: DocumentLocation, of inputs: [String]? = nil,
    similarity: Double?
  ) throws {
    if location.source < seenFiles { return }
    counts.add(.duplicatesRemoved)
    if isReporting { try check(kept, of: inputs) }
    try reportLine(location, "duplicate") { json in
      json.key("duplicate_of")
      json.object { write(kept, of: inputs, to: &$0) }
      json.key("similarity")
      if let similarity { json.value((similarity * 1e4).rounded() / 1e4) } else { json.null() }
    }
  }

  var isReporting: Bool { report != nil }

  /// Reports a document; `details` writes further members of its JSON object.
  func reportLine(
    _ location: DocumentLocation, _ reason: String, _ details: (inout JSONWriter) -> Void = { _ in }
  ) throws {
    guard let report else { return }
    try check(location)
    var json = JSONWriter()
    json.object { json in
      write(location, to: &json)
      json.member("method", method)
      json.member("reason", reason)
      details(&json)
    }
    try report.write(json.bytes + [0x0a])
  }

  /// Throws if there is no such input, which a damaged state can name.
  func check(_ location: DocumentLocation, of inputs: [String]? = nil) throws {
    let names = inputs ?? names
    guard names.indices.contains(location.source) else {
      throw Failure(
        .badInput, "the state of this job names input \(location.source), but there are \(names.count)",
        remedy: "Remove the work directory and run again")
    }
  }

  /// Writes the location of a document, which has been checked, as members of a JSON object; `inputs` names the files
  /// where they are not those of this run.
  func write(_ location: DocumentLocation, of inputs: [String]? = nil, to json: inout JSONWriter) {
    json.member("file", (inputs ?? names)[location.source])
    json.member("line", location.line)
  }

  /// `clusters_of_2`, `clusters_of_3`, `clusters_of_4_to_7`, … and the size of the largest.
  ///
  /// `sizes`: the number of clusters of each size.
  mutating func addClusters(_ sizes: [Int: Int]) {
    counts.add(.clusters, sizes.values.reduce(0, +))
    counts.add(.largestCluster, sizes.keys.max() ?? 0)
    for (size, count) in sizes.sorted(by: { $0.key < $1.key }) {
      let lower = size < 4 ? size : 1 << (Int.bitWidth - 1 - size.leadingZeroBitCount)
      counts.add(.clusters(ofSizes: lower...(size < 4 ? size : 2 * lower - 1)), count)
    }
  }

  /// Completes the files and adds the counts to those of the reading.
  mutating func finish(_ summary: inout Summary) throws {
    try writer?.finish()
    try report?.finish()
    summary.merge(counts)
    if let writer {
      summary.merge(writer.counts)
      summary.add(.bytesOut, writer.bytesWritten)
    }
  }
}
