import Foundation

/// A table of a report, numbers at the right, some with bars behind them.
package struct ReportTable {
  package enum Cell {
    case text(String)
    /// Text with a smaller explanation below.
    case explained(String, String)
    case number(String)
    /// A number with a bar behind it, as long as its share of the cell.
    case bar(String, share: Double)
  }

  package var columns: [String]
  package var rows: [[Cell]]
  package var caption: String
  /// HTML that follows a row, by its number, over the whole width.
  package var below: [Int: String]

  package init(_ columns: [String], _ rows: [[Cell]], caption: String = "", below: [Int: String] = [:]) {
    (self.columns, self.rows, self.caption, self.below) = (columns, rows, caption, below)
  }

  /// Nothing for a table without rows.
  package var html: String {
    guard let first = rows.first else { return "" }
    let heads = zip(columns, first).map { name, cell in
      "<th scope=\"col\"\(cell.isNumber ? " class=\"n\"" : "")>\(ReportPage.escape(name))</th>"
    }
    let lines = rows.enumerated().map { number, cells in
      let more = below[number].map { below in
        "\n<tr class=\"below\"><td colspan=\"\(columns.count)\">\(below)</td></tr>"
      }
      return "<tr>\(cells.map(\.html).joined())</tr>" + (more ?? "")
    }
    return """
      <div class="scroll"><table>
      \(caption.isEmpty ? "" : "<caption>\(ReportPage.escape(caption))</caption>")
      <thead><tr>\(heads.joined())</tr></thead>
      <tbody>
      \(lines.joined(separator: "\n"))
      </tbody></table></div>
      """
  }
}

extension ReportTable.Cell {
  fileprivate var html: String {
    switch self {
    case .text(let text): return "<td>\(ReportPage.escape(text))</td>"
    case .explained(let text, let note):
      return "<td>\(ReportPage.escape(text))"
        + (note.isEmpty ? "" : "<small>\(ReportPage.escape(note))</small>") + "</td>"
    case .number(let text): return "<td class=\"n\">\(ReportPage.escape(text))</td>"
    case .bar(let text, let share):
      let width = String(format: "%.1f", 100 * min(1, max(0, share.isFinite ? share : 0)))
      return "<td class=\"n bar\" style=\"--w:\(width)%\">\(ReportPage.escape(text))</td>"
    }
  }

  fileprivate var isNumber: Bool {
    switch self {
    case .text, .explained: false
    case .number, .bar: true
    }
  }
}
