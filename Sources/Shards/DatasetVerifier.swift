import Foundation
import Support

/// Reads a whole dataset and checks every guarantee of its format: the index, the files, the tokenizer, the
/// seek tables, the checksum of each frame and file, the range of the ids, the ends of the documents, and all
/// counts.
package struct DatasetVerifier {
  package private(set) var problems: [DatasetProblem] = []
  /// Uncompressed bytes read.
  package private(set) var bytes = 0
  package private(set) var tokens = 0
  package private(set) var documents = 0

  private let directory: String
  private let threads: Int
  private let progress: ((_ bytes: Int, _ total: Int) -> Void)?

  private init(
    _ directory: String, threads: Int, progress: ((_ bytes: Int, _ total: Int) -> Void)?
  ) {
    self.directory = directory
    self.threads = threads
    self.progress = progress
  }

  /// Reads and checks the whole dataset. Problems are listed in the result, not thrown.
  package static func verify(
    _ directory: String, threads: Int, progress: ((_ bytes: Int, _ total: Int) -> Void)? = nil
  ) throws -> DatasetVerifier {
    var verifier = DatasetVerifier(directory, threads: threads, progress: progress)
    try verifier.run()
    return verifier
  }

  private mutating func run() throws {
    guard Path.isDirectory(directory) else {
      throw Failure(
        .inputOutput, "no such dataset directory", file: directory, remedy: "Check the spelling of the path")
    }
    let index: DatasetIndex
    do { index = try DatasetIndex(reading: directory) } catch {
      problems.append(try DatasetProblem(error, file: directory))
      return
    }
    problems += index.contradictions().map { DatasetProblem(file: path(DatasetIndex.fileName), $0) }
    try checkKeys()
    let names = Set(index.fileNames)
    for name in index.missingFiles(in: directory) {
      problems.append(DatasetProblem(file: path(name), "the file is missing"))
    }
    for name in try SystemCall.names(in: directory).sorted()
    where !names.contains(name) {
      problems.append(DatasetProblem(file: path(name), "the file does not belong to the dataset"))
    }
    try checkTokenizer(index)
    let shards = index.shards.filter { $0.isPlausible && Path.exists(path($0.file)) }
    let total = shards.reduce(0) { $0 + $1.bytes }
    for shard in shards {
      try Interruption.check()
      do { try check(shard, of: index, total: total) } catch {
        problems.append(try DatasetProblem(error, file: path(shard.file)))
      }
    }
  }

  private func path(_ name: String) -> String { Path.join(directory, name) }

  /// A key of a shard that is not known may be one that has been damaged: without it a checksum would not be compared.
  private mutating func checkKeys() throws {
    let file = path(DatasetIndex.fileName)
    let known = Set(DatasetIndex.Shard.CodingKeys.allCases.map { Array($0.rawValue.utf8) })
    for shard in try JSONValue(parsing: MappedFile.read(file), file: file)["shards"]?.array ?? [] {
      guard case .object(let members) = shard else { continue }
      for member in members where !known.contains(member.key) {
        problems.append(
          DatasetProblem(
            file: file, "a shard has the unknown key \"\(String(decoding: member.key, as: UTF8.self))\""))
      }
    }
  }

  private mutating func checkTokenizer(_ index: DatasetIndex) throws {
    let file = path(DatasetIndex.tokenizerFileName)
    guard Path.exists(file) else { return }
    let sha256 = try MappedFile.read(file).withUnsafeBytes { Hashing.sha256($0) }
    if sha256 != index.tokenizer.sha256 {
      problems.append(
        DatasetProblem(file: file, "its SHA-256 is \(sha256), index.json says \(index.tokenizer.sha256)"))
    }
  }

  private mutating func check(_ shard: DatasetIndex.Shard, of index: DatasetIndex, total: Int) throws {
    let file = try SeekableReader(path(shard.file))
    if file.bytes != shard.bytes {
      problems.append(
        DatasetProblem(
          file: file.path, "contains \(file.bytes) bytes of tokens, index.json says \(shard.bytes)")
      )
    }
    if let expected = shard.seekTablesXXH64, let rows = try? SeekableReader(path(shard.documentsFile)),
      SeekableFormat.hash(ofTables: file.tableHash, rows.tableHash) != expected
    {
      problems.append(
        DatasetProblem(
          file: file.path,
          "its seek table, or that of \(shard.documentsFile), is not the one that index.json records"))
    }
    var scan = DocumentScan(rows: try rows(of: shard), endOfDocument: UInt32(clamping: index.endOfDocument))
    let hash = StreamingXXH64()
    var isWhole = true
    var frame = 0
    let next: () throws -> Int? = {
      defer { frame += 1 }
      return frame < file.frameCount ? frame : nil
    }
    // A frame that cannot be read is reported, and the check continues.
    let work: @Sendable (Int) throws -> FrameResult = { FrameResult(reading: $0, of: file, index: index) }
    try OrderedPipeline.run(threads: threads, next: next, work: work) { frame in
      problems += frame.problems
      if frame.bytes.isEmpty { isWhole = false }
      frame.bytes.withUnsafeBytes { hash.update($0) }
      scan.take(frame, tokenBytes: index.tokenBytes)
      bytes += file.plainRange(ofFrame: frame.number).count
      progress?(bytes, total)
    }
    tokens += file.bytes / max(index.tokenBytes, 1)
    // If a frame is damaged, the counts and the checksum of the file cannot match, and the frame was already
    // reported.
    guard isWhole else { return }
    documents += scan.ends
    if Hashing.hexadecimal(hash.digest) != shard.xxh64 {
      problems.append(
        DatasetProblem(
          file: file.path, "its XXH64 is \(Hashing.hexadecimal(hash.digest)), index.json says \(shard.xxh64)")
      )
    }
    if scan.ends != shard.documents {
      problems.append(
        DatasetProblem(
          file: file.path, "contains \(scan.ends) documents, index.json says \(shard.documents)"))
    }
    if !scan.endsWithDocument {
      problems.append(DatasetProblem(file: file.path, "its last token is not the end-of-document id"))
    }
    problems += scan.finish(shard: shard, file: path(shard.documentsFile))
  }

  /// The rows of the shard's documents; nil, with the problem recorded, if they cannot be read.
  private mutating func rows(of shard: DatasetIndex.Shard) throws -> [DocumentRow]? {
    guard Path.exists(path(shard.documentsFile)) else { return nil }
    do {
      let reader = try DocumentRowReader(directory: directory, entry: shard)
      let hash = StreamingXXH64()
      var rows: [DocumentRow] = []
      while let row = try reader.next() {
        row.withBytes { hash.update($0) }
        rows.append(row)
      }
      if Hashing.hexadecimal(hash.digest) != shard.documentsXXH64 {
        problems.append(
          DatasetProblem(
            file: reader.path,
            "its XXH64 is \(Hashing.hexadecimal(hash.digest)), index.json says \(shard.documentsXXH64)"))
      }
      return rows
    } catch {
      problems.append(try DatasetProblem(error, file: path(shard.documentsFile)))
      return nil
    }
  }
}

/// One frame, decompressed and checked.
private struct FrameResult: Sendable {
  let number: Int
  /// Empty if the frame is damaged.
  let bytes: [UInt8]
  let problems: [DatasetProblem]

  init(reading number: Int, of file: SeekableReader, index: DatasetIndex) {
    self.number = number
    let size = file.plainRange(ofFrame: number).count
    do {
      bytes = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        count = try file.decompress(frame: number, into: UnsafeMutableRawBufferPointer(buffer))
      }
      let largest = bytes.withUnsafeBytes { ShardReader.largestID($0, tokenBytes: index.tokenBytes) }
      problems =
        largest < index.vocabularySize
        ? []
        : [
          DatasetProblem(
            file: file.path, offset: file.offset(ofFrame: number),
            "frame \(number) holds token id \(largest), outside the vocabulary of \(index.vocabularySize)")
        ]
    } catch {
      bytes = []
      let failure = error as? Failure
      problems = [
        DatasetProblem(
          file: file.path, offset: file.offset(ofFrame: number), failure?.message ?? String(describing: error)
        )
      ]
    }
  }
}

/// Compares the ends of the documents in a shard with the rows.
private struct DocumentScan {
  let rows: [DocumentRow]?
  let endOfDocument: UInt32
  private(set) var ends = 0
  private(set) var endsWithDocument = true
  /// The number of tokens since the last end of a document.
  private var length = 0
  private var firstMismatch: Int?

  init(rows: [DocumentRow]?, endOfDocument: UInt32) {
    self.rows = rows
    self.endOfDocument = endOfDocument
  }

  mutating func take(_ frame: FrameResult, tokenBytes: Int) {
    frame.bytes.withUnsafeBytes { bytes in
      if tokenBytes == 2 { take(bytes, as: UInt16.self) } else { take(bytes, as: UInt32.self) }
    }
  }

  private mutating func take<ID: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, as type: ID.Type) {
    let end = ID(truncatingIfNeeded: endOfDocument)
    for id in bytes.bindMemory(to: ID.self) {
      length += 1
      guard ID(littleEndian: id) == end else { continue }
      if let rows, firstMismatch == nil, ends >= rows.count || rows[ends].tokens != length {
        firstMismatch = ends
      }
      ends += 1
      length = 0
    }
    endsWithDocument = length == 0
  }

  func finish(shard: DatasetIndex.Shard, file: String) -> [DatasetProblem] {
    guard let rows else { return [] }
    var problems: [DatasetProblem] = []
    if let firstMismatch {
      problems.append(
        DatasetProblem(file: file, "row \(firstMismatch + 1) does not match the document in the shard"))
    }
    let textBytes = rows.reduce(0) { $0 + $1.textBytes }
    let words = rows.reduce(0) { $0 + $1.words }
    if (textBytes, words) != (shard.textBytes, shard.words) {
      problems.append(
        DatasetProblem(
          file: file,
          "its rows add up to \(textBytes) text bytes and \(words) words, index.json says "
            + "\(shard.textBytes) and \(shard.words)"))
    }
    return problems
  }
}
