import Foundation

/// Parts of a self-contained HTML page, without scripts and without fonts or images from elsewhere.
///
/// The page follows the reader's light or dark color scheme. Every number appears in a table or a caption; bars and
/// charts only illustrate them.
package enum ReportPage {
  /// Escapes text for HTML, so that nothing in a document can act as markup.
  package static func escape(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      case "\n", "\t": escaped.unicodeScalars.append(scalar)
      // HTML does not allow control characters, and bidirectional controls could reorder the page around the text.
      case _ where scalar.properties.generalCategory == .control: escaped += "\u{fffd}"
      case "\u{202a}"..."\u{202e}", "\u{2066}"..."\u{2069}": escaped += "\u{fffd}"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  package static func page(title: String, _ body: String) -> String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
    <title>\(escape(title))</title>
    <style>
    \(style)
    </style>
    </head>
    <body>
    <main>
    \(body)
    </main>
    </body>
    </html>

    """
  }

  package static func section(_ title: String, _ note: String, _ body: String) -> String {
    "<section>\n<h2>\(escape(title))</h2>\n"
      + (note.isEmpty ? "" : "<p class=\"note\">\(escape(note))</p>\n") + body + "\n</section>"
  }

  /// A row of large numbers, each with its name and a note.
  package static func tiles(_ tiles: [(value: String, name: String, note: String)]) -> String {
    let items = tiles.map {
      "<div><b>\(escape($0.value))</b><span>\(escape($0.name))</span><small>\(escape($0.note))</small></div>"
    }
    return "<div class=\"tiles\">\n" + items.joined(separator: "\n") + "\n</div>"
  }

  /// The content of a table cell.
  package enum Cell {
    case text(String)
    /// Text with a smaller explanation below.
    case explained(String, String)
    case number(String)
    /// A number before a bar, which fills the given share of the cell.
    case bar(String, share: Double)

    fileprivate var html: String {
      switch self {
      case .text(let text): return "<td>\(escape(text))</td>"
      case .explained(let text, let note):
        return "<td>\(escape(text))" + (note.isEmpty ? "" : "<small>\(escape(note))</small>") + "</td>"
      case .number(let text): return "<td class=\"n\">\(escape(text))</td>"
      case .bar(let text, let share):
        let width = String(format: "%.1f", 100 * min(1, max(0, share.isFinite ? share : 0)))
        return "<td class=\"n bar\" style=\"--w:\(width)%\">\(escape(text))</td>"
      }
    }

    fileprivate var isNumber: Bool {
      switch self {
      case .text, .explained: false
      case .number, .bar: true
      }
    }
  }

  /// A table; `below` maps row numbers to HTML, such as samples, that follows the row at full width.
  package static func table(
    _ columns: [String], _ rows: [[Cell]], caption: String = "", below: [Int: String] = [:]
  ) -> String {
    guard let first = rows.first else { return "" }
    let heads = zip(columns, first).map {
      "<th scope=\"col\"\($1.isNumber ? " class=\"n\"" : "")>\(escape($0))</th>"
    }
    let lines = rows.enumerated().map { number, cells in
      "<tr>\(cells.map(\.html).joined())</tr>"
        + (below[number].map { "\n<tr class=\"below\"><td colspan=\"\(columns.count)\">\($0)</td></tr>" }
          ?? "")
    }
    return """
      <div class="scroll"><table>
      \(caption.isEmpty ? "" : "<caption>\(escape(caption))</caption>")
      <thead><tr>\(heads.joined())</tr></thead>
      <tbody>
      \(lines.joined(separator: "\n"))
      </tbody></table></div>
      """
  }

  package static func details(_ title: String, _ body: String) -> String {
    "<details><summary>\(escape(title))</summary>\(body)</details>"
  }

  package static func quotes(_ quotes: [(text: String, note: String)]) -> String {
    quotes.map {
      "<blockquote dir=\"auto\">\(escape($0.text))"
        + ($0.note.isEmpty ? "" : "<footer>\(escape($0.note))</footer>") + "</blockquote>"
    }.joined(separator: "\n")
  }

  private static let style = """
    :root { color-scheme: light dark; --paper: #fbfaf7; --card: #fff; --ink: #1d2127; --soft: #5f6670; --line: #e3e0d8;
      --accent: #1f6f78; --tint: #cfe6e5; --shade: #f3f1ea; }
    @media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1b1f23; --ink: #e6e4df; --soft: #9aa2ab;
      --line: #2d3238; --accent: #6fc3c1; --tint: #1f4a4c; --shade: #22272c; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--paper); color: var(--ink);
      font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
    main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
    h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
    h2 { font-size: 1.15rem; margin: 0 0 .2rem; }
    h3 { font-size: .95rem; margin: 1.4rem 0 .4rem; }
    p { margin: .2rem 0; }
    .lead, .note, figcaption, small, caption { color: var(--soft); }
    .note { margin-bottom: .8rem; max-width: 52rem; }
    section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.2rem 1.4rem 1.4rem;
      margin-top: 1.2rem; }
    .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1px; margin-top: 1.4rem;
      background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
    .tiles div { background: var(--card); padding: .9rem 1.1rem; display: flex; flex-direction: column; }
    .tiles b { font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; letter-spacing: -.01em; }
    .tiles small { min-height: 1.2em; }
    .scroll { overflow-x: auto; }
    .two { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 0 2rem;
      margin-bottom: 1rem; }
    table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
    caption { text-align: left; padding: .9rem 0 .3rem; font-weight: 600; color: var(--ink); }
    th { text-align: left; font-weight: 500; color: var(--soft); font-size: .85rem; border-bottom: 1px solid var(--line);
      padding: .25rem .6rem .25rem 0; white-space: nowrap; }
    td { padding: .32rem .6rem .32rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
    td small { display: block; font-size: .8rem; line-height: 1.35; }
    .n { text-align: right; padding-left: .6rem; white-space: nowrap; }
    .bar { background: linear-gradient(90deg, var(--tint) var(--w), transparent 0) no-repeat .6rem .4rem /
      calc(100% - .6rem) 1.15rem; }
    tr.below td { padding: 0 0 .5rem; }
    tr:has(+ .below) td { border-bottom: 0; }
    details { margin: .2rem 0; }
    summary { cursor: pointer; color: var(--accent); font-size: .85rem; }
    summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
    blockquote { margin: .5rem 0; padding: .5rem .8rem; background: var(--shade); border-left: 3px solid var(--accent);
      border-radius: 0 6px 6px 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; max-height: 12rem;
      overflow: auto; }
    blockquote footer { color: var(--soft); margin-top: .3rem; }
    pre { background: var(--shade); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; }
    code { font-size: .82rem; }
    figure { margin: .6rem 0 0; }
    figcaption { font-size: .85rem; }
    svg { width: 100%; height: auto; display: block; }
    svg rect { fill: var(--accent); }
    svg line { stroke: var(--line); }
    svg text { fill: var(--soft); font-size: 11px; }
    .legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; }
    .legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 3px; margin-right: .4rem; }
    svg polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
    @media print { body { background: #fff; } section { break-inside: avoid; } }
    """
}
