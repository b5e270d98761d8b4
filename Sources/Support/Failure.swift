import Foundation

/// The error type of the package: what went wrong, where, and what the user can do about it.
package struct Failure: Error, CustomStringConvertible, Equatable {
  /// The raw value is the exit code of the command.
  package enum Kind: Int32, Sendable {
    case failed = 1
    case usage = 64
    case badInput = 65
    case inputOutput = 74
    case interrupted = 130
    /// The reader of our output has ended (`… | head`): no error for the user, so the command ends without a
    /// message.
    case closedPipe = 141
  }

  package let kind: Kind
  package let message: String
  /// The path of the file; `-` is standard input.
  package let file: String?
  /// The line in the file, counted from 1.
  package let line: Int?
  /// The byte offset in the file on disk, which may be compressed.
  package let offset: Int?
  /// What to do about it, as a sentence.
  package let remedy: String?

  package init(
    _ kind: Kind, _ message: String, file: String? = nil, line: Int? = nil, offset: Int? = nil,
    remedy: String? = nil
  ) {
    self.kind = kind
    self.message = message
    self.file = file
    self.line = line
    self.offset = offset
    self.remedy = remedy
  }

  package var description: String {
    var text = ""
    if let file { text += file == "-" ? "standard input" : Terminal.maskedLine(file) }
    if let line { text += ":\(line)" }
    if let offset { text += " at byte \(offset)" }
    if !text.isEmpty { text += ": " }
    text += message
    if let remedy { text += ". " + remedy }
    return text
  }
}

extension Failure {
  /// Memory has run out, which is no fault of the input: `purpose` continues "there is not enough memory".
  package static func noMemory(_ purpose: String, file: String? = nil) -> Failure {
    Failure(
      .inputOutput, "there is not enough memory \(purpose)", file: file,
      remedy: "Free some memory, or raise the limit (ulimit -v), and run the same command again")
  }

  /// Converts an error of Foundation's file operations; nil for any other error.
  package init?(foundation error: any Error) {
    guard let error = error as? CocoaError else { return nil }
    let path = error.userInfo[NSFilePathErrorKey] as? String ?? error.url?.path
    self = SystemCall.failure("read, make or remove", path ?? "", code: SystemCall.code(of: error))
  }
}
