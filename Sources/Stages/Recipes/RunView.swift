import Foundation
import Support

/// Shows the progress of a recipe.
///
/// On a terminal it redraws a few lines: each step of the running chain with its share, rate, time left, documents and words,
/// below the steps that are done. Elsewhere it prints a line when a chain begins, one when a step ends, and one every 30
/// seconds between.
final class RunView: @unchecked Sendable {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let chainCount: Int
  private let started = Progress.now()
  // Guarded by `lock`.
  private let lock = NSLock()
  private var rows: [Row] = []
  private var chain = 0
  private var drawnLines = 0
  private var isDrawing = false

  private struct Row {
    let label: String
    let started = Progress.now()
    var state: ProgressState?
    var summary: Summary?
    /// When a log last got a line about it.
    var lastLogged = Progress.now()
  }

  /// Passes the progress of a step to its row.
  private final class Display: ProgressDisplay {
    let view: RunView
    let row: Int

    init(_ view: RunView, row: Int) { (self.view, self.row) = (view, row) }

    func show(_ state: ProgressState) { view.show(state, row: row) }
    func ended(_ summary: Summary) { view.ended(summary, row: row) }
  }

  init(chains: Int) { chainCount = chains }

  func display(row: Int) -> any ProgressDisplay { Display(self, row: row) }

  /// Starts the display of a chain of steps.
  func begin(_ labels: [String], number: Int) {
    lock.withLock {
      rows = labels.map { Row(label: $0) }
      chain = number
      isDrawing = isTerminal
    }
    guard isTerminal else {
      return Log.line("[\(number)/\(chainCount)] \(labels.joined(separator: " → "))")
    }
    Log.divert { [self] line in lock.withLock { draw(below: line + "\n") } }
    Thread.start(named: "view") { [self] in while redraw(number) { usleep(100_000) } }
  }

  /// Draws the rows; returns whether the chain of that number is still running.
  private func redraw(_ number: Int) -> Bool {
    lock.withLock {
      guard isDrawing && chain == number else { return false }
      draw()
      return true
    }
  }

  /// Ends the display of a chain; the lines of its finished steps stay on the screen.
  func end() {
    guard isTerminal else { return }
    Log.divert(nil)
    lock.withLock {
      isDrawing = false
      replace(by: rows.filter { $0.summary != nil }.map { Log.fitting(line(of: $0)) + "\n" }.joined())
    }
  }

  private func show(_ state: ProgressState, row: Int) {
    lock.withLock {
      rows[row].state = state
      guard !isTerminal, Progress.now() - rows[row].lastLogged >= 30 else { return }
      rows[row].lastLogged = Progress.now()
      Log.line(line(of: rows[row]))
    }
  }

  private func ended(_ summary: Summary, row: Int) {
    lock.withLock { rows[row].summary = summary }
    if !isTerminal { Log.line("\(rows[row].label): \(summary.line)") }
  }

  /// Replaces the drawn lines by a message and all rows below it.
  private func draw(below message: String = "") {
    var lines = rows.map { line(of: $0) }
    lines.append("  \(chain) of \(chainCount), \(Progress.duration(Progress.now() - started))")
    replace(by: message + lines.map { Log.fitting($0) + "\n" }.joined())
    drawnLines = lines.count
  }

  private func replace(by text: String) {
    let erase = drawnLines > 0 ? "\u{1b}[\(drawnLines)A\r\u{1b}[J" : ""
    Log.write(erase + text)
    drawnLines = 0
  }

  private func line(of row: Row) -> String {
    if let summary = row.summary { return "✓ " + line(row.label, of: summary) }
    guard let state = row.state else { return "▸ \(row.label)" }
    var parts: [String] = []
    let rate = Double(state.done) / max(1e-9, state.seconds)
    var bar = ""
    if let total = state.total, total > 0 {
      let share = min(1, Double(state.done) / Double(total))
      let filled = Int(share * 16)
      bar = "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: 16 - filled) + "] "
      parts.append("\(Int(share * 100)) %")
      if rate > 0 { parts.append("\(Progress.duration((Double(total) - Double(state.done)) / rate)) left") }
    }
    parts.append("\(Progress.scaled(rate, state.unit))/s")
    if state.documents > 0 { parts.append("\(TextColumns.grouped(state.documents)) documents") }
    if state.words > 0 { parts.append("\(Progress.scaled(Double(state.words), "")) words") }
    if !state.note.isEmpty { parts.append(state.note) }
    let phase = row.label.hasPrefix(state.label) ? "" : "\(state.label): "
    return "▸ " + TextColumns.left(row.label, 18) + bar + phase + parts.joined(separator: ", ")
  }

  /// What a step has done.
  private func line(_ label: String, of summary: Summary) -> String {
    var parts: [String] = []
    func flow(_ before: CountName, _ after: CountName, _ unit: String) {
      let (from, to) = (summary.count(before), summary.count(after))
      if from == 0 && to == 0 { return }
      let amounts = [from, to].filter { $0 > 0 }.map { Progress.scaled(Double($0), "").trimmed }
      parts.append(
        (amounts.count == 2 && amounts[0] != amounts[1] ? amounts.joined(separator: " → ") : amounts.last!)
          + " " + unit)
    }
    flow(.documentsIn, .documentsOut, "documents")
    flow(summary[.words] == nil ? .wordsIn : .words, .wordsOut, "words")
    for (name, unit) in [(CountName.tokens, "tokens"), (.merges, "merges")] where summary.count(name) > 0 {
      parts.append(Progress.scaled(Double(summary.count(name)), "").trimmed + " " + unit)
    }
    if case .number(let seconds)? = summary[.seconds] {
      if summary.count(.bytesIn) > 0 && seconds > 0 {
        parts.append(Progress.scaled(Double(summary.count(.bytesIn)) / seconds, "B") + "/s")
      }
      parts.append(seconds < 10 ? String(format: "%.1f s", seconds) : Progress.duration(seconds))
    }
    return TextColumns.left(label, 18) + parts.joined(separator: ", ")
  }
}

extension String {
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
