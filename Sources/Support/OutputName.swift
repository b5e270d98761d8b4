/// What the name of an output file promises: a compression that we write, or one that we do not.
package enum OutputName {
  package enum Coding: Sendable { case plain, gzip, zstd }

  /// The compression that a name asks for.
  package static func coding(of path: String) -> Coding {
    let name = Path.name(of: path).lowercased()
    if [".zst", ".zstd"].contains(where: name.hasSuffix) { return .zstd }
    return [".gz", ".gzip"].contains(where: name.hasSuffix) ? .gzip : .plain
  }

  /// The name without the suffix of its compression.
  package static func withoutCoding(_ path: String) -> String {
    let suffix = [".zst", ".zstd", ".gz", ".gzip"].first { path.lowercased().hasSuffix($0) }
    return String(path.dropLast(suffix?.count ?? 0))
  }

  private static let compressions: Set<String> = [
    "xz", "bz2", "bz3", "bzip2", "lzma", "lz", "lz4", "lzo", "br", "sz", "snappy", "z", "zlib", "zip", "tar",
    "tgz",
    "tbz", "tbz2", "txz", "tzst", "7z", "rar", "cpio",
  ]

  private static let formats: Set<String> = [
    "parquet", "arrow", "feather", "ipc", "avro", "orc", "h5", "hdf5", "npy", "npz", "pkl", "pickle", "pt",
    "pth",
    "safetensors", "db", "sqlite", "sqlite3", "csv", "tsv", "xls", "xlsx", "ods", "doc", "docx", "odt", "rtf",
    "pdf",
    "epub", "html", "htm", "xml", "yaml", "yml", "warc", "wet", "wat", "arc", "tfrecord", "tfrecords",
  ]

  /// Throws if a name asks for a compression that we do not write; nil is standard output.
  package static func checkCompression(_ path: String?) throws {
    guard let path, path != "-" else { return }
    try check(path, compressions, "name it without .SUFFIX, or with .gz or .zst, which compress")
  }

  /// Whether a name asks for a Parquet file, whose pages are compressed.
  package static func isParquet(_ path: String) -> Bool { path.lowercased().hasSuffix(".parquet") }

  /// The same for an output of documents, whose name may also ask for a format that we do not write. With
  /// `allowsParquet` they may be written as a Parquet file.
  package static func checkDocuments(_ path: String?, allowsParquet: Bool = false) throws {
    guard let path, path != "-", !(allowsParquet && isParquet(path)) else { return }
    try checkCompression(path)
    try check(
      path, formats,
      "documents are written as text or as JSON lines (.txt, .jsonl), compressed with .gz or .zst"
        + (allowsParquet ? ", or as a Parquet file (.parquet)" : ""))
  }

  private static func check(_ path: String, _ refused: Set<String>, _ remedy: String) throws {
    let name = Path.name(of: withoutCoding(path)).lowercased()
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex || name.count > 1 else { return }
    let suffix = String(name[name.index(after: dot)...])
    guard refused.contains(suffix) else { return }
    throw Failure(
      .usage, "the output's name ends in .\(suffix), which pkm-data does not write", file: path,
      remedy: remedy.prefix(1).uppercased() + remedy.dropFirst().replacing("SUFFIX", with: suffix))
  }
}
