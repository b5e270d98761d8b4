import Foundation

/// Shows the progress of a command on standard error: a line that redraws itself on a terminal, a line now
/// and then in a log, nothing with `--quiet`.
package final class Progress {
  /// Shows the progress of the work on this thread instead; nil if the work shows it itself.
  @TaskLocal package static var display: (any ProgressDisplay)?

  private let display = Progress.display
  private let label: String
  private let unit: String
  private let isQuiet: Bool
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let started = Progress.now()
  private var lastDrawn = Progress.now()

  /// `unit` is that of ``update(done:of:documents:words:note:)``; it gets a prefix, such as kB, MB, GB for
  /// `B`.
  package init(_ label: String, unit: String = "B", isQuiet: Bool = false) {
    self.label = label
    self.unit = unit
    self.isQuiet = isQuiet
  }

  /// Monotonic seconds.
  package static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  package var seconds: Double { Progress.now() - started }

  /// Draws at most ten times a second on a terminal and twice a minute otherwise, so it is cheap to call
  /// often.
  package func update(
    done: Int, of total: Int? = nil, documents: Int = 0, words: Int = 0,
    note: @autoclosure () -> String = ""
  ) {
    guard !isQuiet else { return }
    let time = Progress.now()
    guard time - lastDrawn >= (isTerminal || display != nil ? 0.1 : 30) else { return }
    lastDrawn = time
    if let display {
      return display.show(
        ProgressState(
          label: label, unit: unit, done: done, total: total, seconds: time - started, documents: documents,
          words: words, note: note()))
    }
    let rate = Double(done) / max(time - started, 1e-9)
    var (bar, text) = ("", "")
    if let total, total > 0 {
      let share = min(1, Double(done) / Double(total))
      let filled = Int(share * 24)
      bar = "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: 24 - filled) + "] "
      text += "\(Int(share * 100)) %, "
      if rate > 0 { text += "\(Self.duration((Double(total) - Double(done)) / rate)) left, " }
    }
    let note = note()
    if !note.isEmpty { text += note + ", " }
    text += "\(Self.scaled(Double(done), unit)), \(Self.scaled(rate, unit))/s"
    guard isTerminal else { return Log.line("\(label): \(text)") }
    // On a narrow terminal, the numbers matter more than the bar.
    let line = "\(label): \(bar)\(text)"
    Log.draw(Log.fitting(line) == line ? line : "\(label): \(text)")
  }

  /// Clears the bar.
  package func finish() {
    if isTerminal { Log.clear() }
  }

  package static func scaled(_ value: Double, _ unit: String) -> String {
    for (limit, prefix) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where abs(value) >= limit {
      return String(format: "%.1f %@%@", value / limit, prefix, unit)
    }
    return String(format: "%.0f %@", value, unit)
  }

  package static func duration(_ seconds: Double) -> String {
    let whole = Int(max(0, min(seconds, 1e9)).rounded())
    if whole >= 3600 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
  }
}
