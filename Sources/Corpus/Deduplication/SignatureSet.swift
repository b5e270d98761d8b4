import Foundation
import Support

/// What the stage `signatures` says about its documents, in the file `signatures.json` of its directory, which it writes
/// last.
package struct SignatureManifest: Codable, Sendable {
  var version = 1
  package var options: MinHashOptions
  /// Hash of the listing of the inputs, and of all that was read of them: the identity of the documents.
  package var listing: String
  package var digest: String
  /// The inputs as the user named them.
  package var names: [String]
  package var documents: Int
  /// Counts of the reading: names and values.
  var countNames: [String]
  var counts: [Int]

  package var summary: Summary {
    var summary = Summary()
    for (name, count) in zip(countNames, counts) { summary.add(name, count) }
    return summary
  }

  package var identity: String { listing + digest }
}

/// Where the making of signatures stands after a run, as the note of the run.
private struct SignatureProgress: Codable {
  var documents = 0
  var digest: UInt64 = 0
  var countNames: [String] = []
  var counts: [Int] = []
  /// Documents in each block of input that the run covers.
  var blocks: [Int] = []
}

/// The stage `signatures`: band keys of all documents as sorted runs of (key, document number), and a table with a row a
/// document.
///
/// Run 7 and table 7 belong to the same documents.
package final class SignatureWriter {
  package let hasher: MinHasher
  private let directory: String
  private let sorter: RecordSorter
  private var progress = SignatureProgress()
  private var summary = Summary()
  private var table: SignatureTable.Writer?

  // Blocks that finished runs cover, and how far the reading of them has come.
  private var blocksDone = 0
  private var blocksSkipped = 0
  private var digestOfSkipped: UInt64 = 0

  /// Document numbers and the marks of cluster roots share 32 bits.
  static let mostDocuments = 1 << 31

  /// Goes on where an earlier writer in the same directory has stopped.
  package init(directory: String, options: MinHashOptions, memory: Int, pool: WorkerPool) throws {
    self.directory = directory
    hasher = MinHasher(options)
    sorter = try RecordSorter(
      directory: directory, name: "keys", format: SignatureSet.keyFormat, memory: memory, pool: pool)
    for run in sorter.runs {
      progress = try JSONDecoder().decode(SignatureProgress.self, from: Data(run.note))
      blocksDone += progress.blocks.count
    }
    progress.blocks = []
    for (name, count) in zip(progress.countNames, progress.counts) { summary.add(name, count) }
  }

  /// Whether the next block of the input is covered by a finished run.
  ///
  /// Throws when it is not what was read then.
  package func covers(_ block: DocumentBlock) throws -> Bool {
    guard blocksSkipped < blocksDone else { return false }
    blocksSkipped += 1
    digestOfSkipped = SignatureSet.chain(digestOfSkipped, block.digest)
    if blocksSkipped == blocksDone && digestOfSkipped != progress.digest {
      throw Failure(
        .failed, "the input is not the one that the work was begun with", file: directory,
        remedy: "Remove the directory and run again")
    }
    return true
  }

  /// The next documents, all those of one block.
  ///
  /// `counts` are those of its reading.
  package func add(_ signatures: MinHasher.BatchSignatures, blockDigest: UInt64, counts: Summary) throws {
    let bands = hasher.options.parameters.bands
    if sorter.room < signatures.keys.count && !progress.blocks.isEmpty { try endRun() }
    if table == nil {
      table = try SignatureTable.Writer(SignatureTable.path(sorter.runs.count, in: directory))
    }
    var records: [UInt64] = []
    records.reserveCapacity(2 * signatures.keys.count)
    for (place, index) in signatures.keyed.enumerated() {
      for key in signatures.keys[(place * bands)..<((place + 1) * bands)] {
        records.append(key)
        records.append(UInt64(progress.documents + index))
      }
    }
    guard sorter.room >= signatures.keys.count else {
      throw Failure(
        .usage, "--memory has no room for the \(signatures.keys.count) band keys of a megabyte of documents",
        remedy: "Give more memory, or fewer bands")
    }
    sorter.append(records)
    try table!.append(signatures.rows)
    progress.documents += signatures.documentCount
    if progress.documents > Self.mostDocuments {
      throw Failure(.failed, "more than 2³¹ documents", remedy: "Deduplicate a part of them at a time")
    }
    progress.digest = SignatureSet.chain(progress.digest, blockDigest)
    progress.blocks.append(signatures.documentCount)
    summary.merge(counts)
  }

  private func endRun() throws {
    progress.countNames = summary.entries.map(\.name)
    progress.counts = progress.countNames.map(summary.count)
    // The run comes last: where it is, its table is.
    try table?.finish()
    table = nil
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try sorter.endRun(note: Array(encoder.encode(progress)))
    progress.blocks = []
  }

  /// Call when all of the input was given or covered.
  package func finish(listing: String, names: [String]) throws -> SignatureSet {
    if blocksSkipped < blocksDone {
      throw Failure(
        .failed, "the input is shorter than the one that the work was begun with", file: directory,
        remedy: "Remove the directory and run again")
    }
    if table != nil { try endRun() }
    let manifest = SignatureManifest(
      options: hasher.options, listing: listing, digest: Hashing.hexadecimal(progress.digest), names: names,
      documents: progress.documents, countNames: summary.entries.map(\.name),
      counts: summary.entries.map { summary.count($0.name) })
    try SignatureSet.write(manifest, to: SignatureSet.manifestPath(directory))
    return try SignatureSet(directory)
  }
}

/// The finished signatures of a set of documents.
package final class SignatureSet: Sendable {
  package let directory: String
  package let manifest: SignatureManifest
  /// Sorted runs of ``keyFormat``.
  let runs: [SortedRun]
  /// Documents in each block of the input.
  package let blocks: [Int]
  private let tables: [SignatureTable]

  /// A band's key and a document number of four bytes.
  static let keyFormat = RecordFormat(words: 2, lastBytes: 4)

  static func manifestPath(_ directory: String) -> String { Path.join(directory, "signatures.json") }

  /// Whether the stage has ended in this directory.
  package static func exists(_ directory: String) -> Bool { Path.exists(manifestPath(directory)) }

  /// The digest of all blocks up to one.
  package static func chain(_ digest: UInt64, _ block: UInt64) -> UInt64 {
    RandomGenerator.mix(digest &* 3 &+ block)
  }

  package init(_ directory: String) throws {
    self.directory = directory
    manifest = try Self.read(SignatureManifest.self, from: Self.manifestPath(directory))
    var runs: [SortedRun] = []
    var tables: [SignatureTable] = []
    var blocks: [Int] = []
    let rowBytes = MinHasher.RowFormat(manifest.options).bytes
    var documents = 0
    while case let path = RecordSorter.path(runs.count, name: "keys", in: directory), Path.exists(path) {
      let run = try SortedRun(path)
      let progress = try JSONDecoder().decode(SignatureProgress.self, from: Data(run.note))
      let table = try SignatureTable(
        SignatureTable.path(runs.count, in: directory), rowBytes: rowBytes, firstDocument: documents)
      documents += table.count
      guard run.format == Self.keyFormat, documents == progress.documents else {
        throw Failure(
          .badInput, "does not belong to its table of documents", file: path, remedy: "Make it again")
      }
      blocks += progress.blocks
      runs.append(run)
      tables.append(table)
    }
    guard documents == manifest.documents else {
      throw Failure(
        .badInput, "holds \(documents) documents instead of \(manifest.documents)", file: directory,
        remedy: "Make it again")
    }
    (self.runs, self.tables, self.blocks) = (runs, tables, blocks)
  }

  /// Throws unless the documents, read again, are those that the signatures were made of.
  ///
  /// `digest` is that of all blocks.
  package func check(digest: UInt64, documents: Int) throws {
    try Self.check(digest, documents, against: manifest.digest, manifest.documents)
  }

  static func check(_ digest: UInt64, _ documents: Int, against expected: String, _ count: Int) throws {
    guard Hashing.hexadecimal(digest) == expected, documents == count else {
      throw Failure(
        .failed, "the input has changed since its signatures were made",
        remedy: "Begin again with the signatures")
    }
  }

  /// Calls `body` with the number and the row of each document, in order.
  func forEachRow(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
    for table in tables { try table.forEachRow(body) }
  }

  static func write(_ value: some Encodable, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let file = try OutputFile(path)
    try file.write(Array(encoder.encode(value)) + [0x0a])
    try file.finish()
  }

  static func read<Value: Decodable>(_ type: Value.Type, from path: String) throws -> Value {
    do { return try JSONDecoder().decode(type, from: Data(MappedFile.read(path))) } catch let error
      as DecodingError
    {
      throw Failure(
        .badInput, "is not what this program writes: \(error)", file: path, remedy: "Make it again")
    }
  }
}

/// Rows of equal length, one a document, and at the end their XXH64.
private final class SignatureTable: Sendable {
  let firstDocument: Int
  let count: Int
  private let rowBytes: Int
  private let file: MappedFile

  static func path(_ number: Int, in directory: String) -> String {
    RecordSorter.path(number, name: "documents", in: directory)
  }

  init(_ path: String, rowBytes: Int, firstDocument: Int) throws {
    file = try MappedFile(path)
    self.rowBytes = rowBytes
    self.firstDocument = firstDocument
    let bytes = file.bytes.count - 8
    let hash = StreamingXXH64()
    for start in stride(from: 0, to: bytes, by: 16 << 20) {
      hash.update(UnsafeRawBufferPointer(rebasing: file.bytes[start..<min(bytes, start + 16 << 20)]))
      file.releasePages()
    }
    guard bytes >= 0, bytes % rowBytes == 0,
      hash.digest
        == UInt64(littleEndian: file.bytes.loadUnaligned(fromByteOffset: bytes, as: UInt64.self))
    else {
      throw Failure(.badInput, "is damaged", file: path, remedy: "Remove the directory and run again")
    }
    count = bytes / rowBytes
  }

  /// Gives the memory back that rows have taken, some megabytes at a time.
  func forEachRow(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) throws {
    for index in 0..<count {
      if index & 0x7fff == 0 {
        try Interruption.check()
        file.releasePages()
      }
      let start = index * rowBytes
      try body(
        firstDocument + index, UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + rowBytes)]))
    }
    file.releasePages()
  }

  final class Writer {
    private let file: OutputFile
    private let hash = StreamingXXH64()

    init(_ path: String) throws { file = try OutputFile(path) }

    func append(_ rows: [UInt8]) throws {
      rows.withUnsafeBytes { hash.update($0) }
      try file.write(rows)
    }

    func finish() throws {
      try withUnsafeBytes(of: hash.digest.littleEndian) { try file.write($0) }
      try file.finish()
    }
  }
}
