/// Where bytes come from.
package enum InputSource: Sendable {
  /// A file, a device or a named pipe by its path; `-` is standard input.
  case path(String)
  /// Another stage that runs in this process.
  case pipe(InnerPipe)

  /// What messages call it.
  package var name: String {
    switch self {
    case .path(let path): path
    case .pipe(let pipe): pipe.name
    }
  }

  package var pipe: InnerPipe? {
    guard case .pipe(let pipe) = self else { return nil }
    return pipe
  }
}
