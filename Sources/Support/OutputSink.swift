/// Where bytes go.
package enum OutputSink: Sendable {
  /// A file, a device or a named pipe by its path; nil, `-` and `/dev/stdout` are standard output.
  case path(String?)
  /// Another stage that runs in this process.
  case pipe(InnerPipe)

  /// Whether documents are written as a Parquet file, by the name of the output.
  package var isParquet: Bool {
    if case .path(let path?) = self { return OutputName.isParquet(path) }
    return false
  }

  /// The path as given, or the name of the pipe.
  package var name: String? {
    switch self {
    case .path(let path): path
    case .pipe(let pipe): pipe.name
    }
  }
}
