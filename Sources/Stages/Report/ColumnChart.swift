import Foundation
import Support

/// Columns side by side as SVG, such as a histogram.
struct ColumnChart {
  struct Column {
    let value: Double
    /// Shown when the pointer is over the column.
    let title: String
    /// Below the axis at the column's left edge; nil for none.
    let label: String?
  }

  var columns: [Column]
  /// Describes the picture to readers who cannot see it.
  var name: String
  var caption: String

  /// Nothing where all columns are 0.
  var html: String {
    guard let most = columns.map(\.value).max(), most > 0 else { return "" }
    let (width, base) = (520.0, 140.0)
    // A few columns do not become walls.
    let step = width / Double(max(12, columns.count))
    var marks = ""
    for (number, column) in columns.enumerated() {
      let x = Double(number) * step
      if column.value > 0 {
        let tall = max(1, (base - 10) * column.value / most)
        marks += String(
          format: "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"1.5\">", x + 0.5,
          base - tall, max(1, step - 1.5), tall)
        marks += "<title>\(ReportPage.escape(column.title))</title></rect>"
      }
      if let label = column.label {
        marks += String(format: "<text x=\"%.1f\" y=\"158\">", x) + ReportPage.escape(label) + "</text>"
      }
    }
    return """
      <figure>
      <svg viewBox="-4 0 536 170" role="img" aria-label="\(ReportPage.escape(name))">
      \(marks)<line x1="0" y1="\(base)" x2="\(width)" y2="\(base)"/>
      </svg>
      <figcaption>\(ReportPage.escape(caption))</figcaption>
      </figure>
      """
  }
}
