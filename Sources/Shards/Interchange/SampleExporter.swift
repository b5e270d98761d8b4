import Support

/// Writes the splits of a dataset as shards of samples, into a directory that appears when it is complete.
///
/// Memory: one shard, which holds at least one document.
package struct SampleExporter {
  package let format: SampleFormat
  /// A shard ends before the document with which it would have more tokens than this.
  package var shardTokens = 1 << 25
  /// Called with the number of tokens processed and the total.
  package var progress: ((_ done: Int, _ total: Int) -> Void)?

  package init(_ format: SampleFormat) { self.format = format }

  /// What an index says of a shard.
  private struct Written {
    let name: String
    let bytes: Int
    let samples: Int
    let tokens: Int
  }

  /// Exports the dataset and returns the names of the files in the order in which they were written.
  package func write(_ dataset: Dataset, splits: [String], to directory: String) throws -> [String] {
    let output = try OutputDirectory(directory)
    let total = try splits.reduce(0) { $0 + (try dataset.tokenCount(of: $1)) }
    var (files, done) = ([String](), 0)
    for split in splits {
      let folder = format == .webdataset ? "" : split + "/"
      var written: [Written] = []
      var shard = SampleShard(format, tokenBytes: dataset.index.tokenBytes, firstSample: 0)
      func write(_ name: String, _ bytes: [UInt8]) throws {
        let name = folder + name
        let file = try OutputFile(Path.join(output.temporary, name), isVerbatim: true)
        try file.write(bytes)
        try file.finish()
        files.append(name)
      }
      func finishShard() throws {
        let (name, bytes) = (self.name(ofShard: written.count, split), shard.file())
        try write(name, bytes)
        written.append(Written(name: name, bytes: bytes.count, samples: shard.count, tokens: shard.tokens))
        shard = SampleShard(
          format, tokenBytes: dataset.index.tokenBytes, firstSample: shard.firstSample + shard.count)
      }
      let reader = try EncodedDocumentReader(dataset, split: split)
      while try reader.next({ document, row in
        guard shard.mostBytes(ofSample: row.tokens) <= SampleShard.mostBytes / 2 else {
          throw Failure(
            .failed, "a document of \(row.tokens) tokens is too long for the format", file: dataset.path)
        }
        if shard.count > 0 && (shard.tokens + row.tokens > shardTokens || !shard.fits(row.tokens)) {
          try finishShard()
        }
        shard.add(document)
        done += row.tokens
      }) {
        try Interruption.check()
        progress?(done, total)
      }
      if shard.count > 0 || written.isEmpty { try finishShard() }
      if let index = index(of: written, tokenBytes: dataset.index.tokenBytes) {
        try write("index.json", Array((index + "\n").utf8))
      }
    }
    try output.finish()
    return files
  }

  private func name(ofShard number: Int, _ split: String) -> String {
    func padded(_ digits: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
    return switch format {
    case .mds: "shard.\(padded(5)).mds"
    case .litdata: "chunk-0-\(number).bin"
    case .webdataset: "\(split)-\(padded(6)).tar"
    }
  }

  /// `index.json` of a split; nil where the format has none.
  private func index(of shards: [Written], tokenBytes: Int) -> String? {
    switch format {
    case .mds:
      let entries = shards.map {
        """
        {\(MDSColumns.members(tokenBytes: tokenBytes)), "samples": \($0.samples), "zip_data": null, \
        "raw_data": {"basename": "\($0.name)", "bytes": \($0.bytes), "hashes": {}}}
        """
      }
      return "{\"shards\": [\(entries.joined(separator: ",\n "))], \"version\": 2}"
    case .litdata:
      let entries = shards.map {
        """
        {"chunk_bytes": \($0.bytes), "chunk_size": \($0.samples), "dim": \($0.tokens), "filename": "\($0.name)"}
        """
      }
      // 16 is LitData's number of torch.int.
      return """
        {"chunks": [\(entries.joined(separator: ",\n "))],
         "config": {"chunk_bytes": null, "chunk_size": null, "compression": null, "data_format": ["no_header_tensor:16"],
          "data_spec": "[1, {\\"type\\": null, \\"context\\": null, \\"children_spec\\": []}]",
          "encryption": null, "item_loader": "TokensLoader"}}
        """
    case .webdataset: return nil
    }
  }
}
