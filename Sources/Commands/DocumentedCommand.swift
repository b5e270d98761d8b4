import ArgumentParser
import Support

/// A command whose help continues after its options.
///
/// ArgumentParser prints a discussion before the usage and wraps it, which breaks examples. These two texts follow
/// the options and are printed as they are written, indented by two spaces: lines of at most 78 characters.
package protocol DocumentedCommand: ParsableCommand {
  /// What the options leave unsaid.
  static var details: String { get }

  /// Command lines that can be pasted into a shell; a backslash at the end of a line continues it.
  static var examples: String { get }

  /// What the command writes, and what it reads beside its documents: see ``OwnFiles``.
  var files: [OwnFiles.Entry] { get }
}

extension DocumentedCommand {
  package static var details: String { "" }

  package var files: [OwnFiles.Entry] { [] }
}
