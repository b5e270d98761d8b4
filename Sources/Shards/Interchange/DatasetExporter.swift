import Support

/// Writes the splits of a dataset as files of another trainer, into a directory that appears when it is
/// complete.
///
/// Tokens are streamed, so memory does not depend on the size of the dataset.
package struct DatasetExporter {
  package let format: TokenFileFormat
  /// Whether documents keep their end-of-document id.
  ///
  /// llm.c needs it, before each document.
  package var keepsEndOfDocument = true
  /// For llm.c: the number of tokens per file.
  package var shardTokens = 100_000_000
  /// Called with the number of tokens processed and the total.
  package var progress: ((_ done: Int, _ total: Int) -> Void)?

  package init(_ format: TokenFileFormat) { self.format = format }

  /// Exports the dataset and returns the names of the files in the order in which they were written.
  package func write(_ dataset: Dataset, splits: [String], to directory: String) throws -> [String] {
    if format == .nanogpt && dataset.index.tokenBytes != 2 {
      throw Failure(
        .usage,
        "nanoGPT reads 16-bit ids, but a vocabulary of \(dataset.index.vocabularySize) needs more",
        file: dataset.path, remedy: "Export it with --format numpy or megatron")
    }
    let output = try OutputDirectory(directory)
    var run = Run(
      exporter: self, dataset: dataset, directory: output.temporary,
      total: try splits.reduce(0) { $0 + (try dataset.tokenCount(of: $1)) })
    for split in splits {
      switch format {
      case .megatron: try run.megatron(split)
      case .llmc: try run.llmc(split)
      case .nanogpt: try run.flat(split, to: "\(Self.shortName(of: split)).bin", header: [])
      case .numpy: try run.numpy(split)
      }
    }
    try output.finish()
    return run.files
  }

  /// The name of a split in llm.c and nanoGPT.
  private static func shortName(of split: String) -> String { split == "valid" ? "val" : split }

  /// The state of an export.
  private struct Run {
    let exporter: DatasetExporter
    let dataset: Dataset
    let directory: String
    let total: Int
    var done = 0
    var files: [String] = []

    private var tokenBytes: Int { dataset.index.tokenBytes }

    private mutating func create(_ name: String) throws -> OutputFile {
      files.append(name)
      return try OutputFile(Path.join(directory, name))
    }

    /// Calls `body` with the bytes of each document, including its end-of-document id.
    private mutating func forEachDocument(of split: String, _ body: (UnsafeRawBufferPointer) throws -> Void)
      throws
    {
      let reader = try EncodedDocumentReader(dataset, split: split)
      while try reader.next({ encoded, row in
        try body(encoded)
        done += row.tokens
      }) {
        try Interruption.check()
        exporter.progress?(done, total)
      }
    }

    /// Writes a header and the ids of a split to one file.
    mutating func flat(_ split: String, to name: String, header: [UInt8]) throws {
      let file = try create(name)
      try file.write(header)
      let dropped = exporter.keepsEndOfDocument ? 0 : tokenBytes
      try forEachDocument(of: split) {
        try file.write(UnsafeRawBufferPointer(rebasing: $0.dropLast(dropped)))
      }
      try file.finish()
    }

    /// The number of exported tokens of a document.
    private func length(_ row: DocumentRow) -> Int { row.tokens - (exporter.keepsEndOfDocument ? 0 : 1) }

    private func exportedTokens(of split: String) throws -> Int {
      let totals = try dataset.totals(of: split)
      return totals.tokens - (exporter.keepsEndOfDocument ? 0 : totals.documents)
    }

    mutating func megatron(_ split: String) throws {
      let prefix = "\(split)_text_document"
      try flat(split, to: prefix + ".bin", header: [])
      let documents = try dataset.totals(of: split).documents
      let index = try create(prefix + ".idx")
      try index.write(
        MegatronIndex.header(
          element: tokenBytes == 2 ? .u16 : .i32, sequences: documents, documents: documents + 1))
      // The index has three tables. Each is written in its own pass over the rows, so none is held in memory.
      try dataset.forEachRow(of: split) { row in
        guard let length = Int32(exactly: length(row)) else {
          throw Failure(
            .failed, "a document of \(row.tokens) tokens is too long for the format",
            file: dataset.path)
        }
        try index.write([UInt8](littleEndian: length))
      }
      var offset = 0
      try dataset.forEachRow(of: split) { row in
        try index.write([UInt8](littleEndian: Int64(offset)))
        offset += length(row) * tokenBytes
      }
      for document in 0...documents { try index.write([UInt8](littleEndian: Int64(document))) }
      try index.finish()
    }

    mutating func numpy(_ split: String) throws {
      let header = NumPyHeader.bytes(
        element: tokenBytes == 2 ? .u16 : .u32, count: try exportedTokens(of: split))
      try flat(split, to: split + ".npy", header: header)
      let ends = try create(split + NumPyHeader.documentsSuffix)
      try ends.write(NumPyHeader.bytes(element: .i64, count: try dataset.totals(of: split).documents + 1))
      var end = 0
      try ends.write([UInt8](littleEndian: Int64(0)))
      try dataset.forEachRow(of: split) { row in
        end += length(row)
        try ends.write([UInt8](littleEndian: Int64(end)))
      }
      try ends.finish()
    }

    mutating func llmc(_ split: String) throws {
      let tokens = try dataset.tokenCount(of: split)
      let shardTokens = exporter.shardTokens
      var file: OutputFile?
      var number = 0
      var room = 0
      let name = DatasetExporter.shortName(of: split)
      let first = files.count
      for shard in 0..<max(1, (tokens + shardTokens - 1) / shardTokens) {
        files.append("\(name)_" + String(1_000_000 + shard).dropFirst() + ".bin")
      }
      let names = files[first...]
      let (directory, tokenBytes) = (directory, tokenBytes)
      func open() throws {
        try file?.finish()
        room = min(shardTokens, tokens - number * shardTokens)
        let opened = try OutputFile(Path.join(directory, names[first + number]))
        try opened.write(LLMCHeader.bytes(tokens: room, tokenBytes: tokenBytes))
        file = opened
        number += 1
      }
      func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
          if room == 0 { try open() }
          let count = min(room * tokenBytes, rest.count)
          try file!.write(UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
          room -= count / tokenBytes
          rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        }
      }
      if tokens == 0 { try open() }
      try forEachDocument(of: split) { encoded in
        try write(UnsafeRawBufferPointer(rebasing: encoded.suffix(tokenBytes)))
        try write(UnsafeRawBufferPointer(rebasing: encoded.dropLast(tokenBytes)))
      }
      try file?.finish()
    }
  }
}

extension [UInt8] {
  fileprivate init<Word: FixedWidthInteger>(littleEndian word: Word) {
    self = []
    append(littleEndian: word)
  }
}
