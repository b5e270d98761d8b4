import Foundation
import Synchronization

/// Writes messages and progress lines to standard error.
package enum Log {
  private static let diversion = Mutex<(@Sendable (String) -> Void)?>(nil)

  /// Sends all lines to `receiver`, which draws on the terminal, until it is set back to nil.
  package static func divert(_ receiver: (@Sendable (String) -> Void)?) {
    diversion.withLock { $0 = receiver }
  }

  package static func warn(_ message: String) { line("warning: " + message) }

  /// Writes a line; what could act on the terminal is masked: see ``Terminal``.
  package static func line(_ message: String) {
    let message = Terminal.masked(message)
    if let receiver = diversion.withLock({ $0 }) { return receiver(message) }
    clear()
    write(message + "\n")
  }

  /// Whether the last line of the terminal is one that ``draw(_:)`` has drawn.
  private static let hasDrawn = Mutex(false)

  /// Draws a line on the terminal that the next line, drawn or not, replaces.
  static func draw(_ text: String) {
    hasDrawn.withLock { $0 = true }
    write("\r\u{1b}[K" + fitting(text))
  }

  /// Removes the drawn line.
  static func clear() {
    let isDrawn = hasDrawn.withLock { hasDrawn in
      defer { hasDrawn = false }
      return hasDrawn
    }
    if isDrawn { write("\r\u{1b}[K") }
  }

  /// Cuts a line to the width of the terminal: a longer one would wrap, and part of it would stay when it is
  /// redrawn.
  package static func fitting(_ line: String) -> String {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return line }
    return String(line.prefix(Int(size.ws_col) - 1))
  }

  /// Writes to standard error; errors, such as a closed pipe, are ignored.
  package static func write(_ text: String) {
    var text = text
    text.withUTF8 { try? SystemCall.write(STDERR_FILENO, UnsafeRawBufferPointer($0), path: "standard error") }
  }
}
