import Foundation
import Synchronization

/// Lines on standard error that are not progress.
package enum Log {
  private static let diversion = Mutex<(@Sendable (String) -> Void)?>(nil)

  /// Hands all lines over to who draws on the terminal; nil takes them back.
  package static func divert(_ taker: (@Sendable (String) -> Void)?) { diversion.withLock { $0 = taker } }

  package static func warn(_ message: String) { line("warning: " + message) }

  package static func line(_ message: String) {
    if let taker = diversion.withLock({ $0 }) { return taker(message) }
    clear()
    write(message + "\n")
  }

  /// Whether a drawn line stands on the terminal.
  private static let hasDrawn = Mutex(false)

  /// Draws a line that stands on the terminal until the next one, drawn or not, takes its place.
  static func draw(_ text: String) {
    hasDrawn.withLock { $0 = true }
    write("\r\u{1b}[K" + fitting(text))
  }

  /// Takes a drawn line away.
  static func clear() {
    let isDrawn = hasDrawn.withLock { hasDrawn in
      defer { hasDrawn = false }
      return hasDrawn
    }
    if isDrawn { write("\r\u{1b}[K") }
  }

  /// As much of a line as fits on the terminal: what is longer would wrap, and stay there when the line is drawn again.
  package static func fitting(_ line: String) -> String {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return line }
    return String(line.prefix(Int(size.ws_col) - 1))
  }

  /// Writes to standard error; when nobody reads it any more, the work goes on without.
  package static func write(_ text: String) {
    var text = text
    text.withUTF8 { try? SystemCall.write(STDERR_FILENO, UnsafeRawBufferPointer($0), path: "standard error") }
  }
}
