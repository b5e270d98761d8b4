import Support

/// Describes the spans that were found: the file `cuts.json` beside them, written last.
struct SpanManifest: Codable {
  var version = 2
  /// What the spans were found in.
  var progress: SpanProgress
  /// The number of spans, and the XXH64 of their file.
  var cuts: Int
  var cutsChecksum: UInt64

  static func path(_ directory: String) -> String { Path.join(directory, "cuts.json") }

  static func read(_ directory: String) throws -> SpanManifest {
    let path = path(directory)
    let bounds = NumberBounds(path, remedy: remedy)
    return try JSONFile.readSealed(SpanManifest.self, from: path, remedy: remedy) { manifest in
      try bounds.check(manifest.version, "version", in: 2...2)
      try manifest.progress.check(bounds)
      try bounds.check(manifest.cuts, "cuts", in: 0...manifest.progress.textBytes)
    }
  }

  static let remedy = "Remove the work directory and run again"
}
