/// Where bytes go.
package enum OutputSink: Sendable {
  /// A file, a device or a named pipe by its path; nil, `-` and `/dev/stdout` are standard output.
  case path(String?)
  /// Another stage that runs in this process.
  case pipe(InnerPipe)

  /// The path as given, or the name of the pipe.
  package var name: String? {
    switch self {
    case .path(let path): path
    case .pipe(let pipe): pipe.name
    }
  }
}
