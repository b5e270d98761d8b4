import Foundation
import Support

/// What `inspect` found: counts of the whole, counts of each part, a picture of the lengths and a first sample.
package struct Inspection {
  /// `dataset`, `tokenizer` or `corpus`.
  let kind: String
  let path: String
  package var counts = Summary()
  var parts: [(name: String, counts: Summary)] = []
  /// What the parts are: `split` or `script`.
  var partKind = "split"
  var lengths: LengthHistogram?
  var sample: String?

  init(kind: String, path: String) {
    self.kind = kind
    self.path = path
    counts[.kind] = .text(kind)
    counts[.path] = .text(path)
  }

  package var json: String {
    var json = JSONWriter()
    json.object(.lines) { json in
      json.key("counts")
      counts.write(to: &json)
      if !parts.isEmpty {
        json.key(partKind + "s")
        json.object(.spaced) { json in
          for part in parts {
            json.key(part.name)
            part.counts.write(to: &json)
          }
        }
      }
      if let lengths {
        json.key("lengths")
        lengths.write(to: &json)
      }
      if let sample { json.member("sample", sample) }
    }
    return json.text + "\n"
  }

  package var text: String {
    var lines = ["\(kind) \(Terminal.maskedLine(path))", ""]
    for (name, value) in counts.entries where name != .kind && name != .path {
      lines.append("  " + TextColumns.left(Self.label(name), 24) + Self.shown(value))
    }
    if let first = parts.first {
      let columns = first.counts.entries.map(\.name)
      let width = max(10, parts.map(\.name.count).max() ?? 0)
      lines += [
        "",
        "  " + TextColumns.left(partKind, width)
          + columns.map { TextColumns.right(Self.label($0), 14) }.joined(),
      ]
      for part in parts {
        let cells = columns.map { TextColumns.right(part.counts[$0].map(Self.shown) ?? "", 14) }
        lines.append("  " + TextColumns.left(Terminal.maskedLine(part.name), width) + cells.joined())
      }
    }
    if let lengths, lengths.count > 0 { lines += [""] + lengths.picture }
    if let sample {
      lines += ["", "  first document", ""]
      lines += Self.wrapped(sample, 100).prefix(12).map { "    " + $0 }
    }
    return Terminal.masked(lines.joined(separator: "\n")) + "\n"
  }

  private static func label(_ name: CountName) -> String {
    name.rawValue.replacingOccurrences(of: "_", with: " ")
  }

  private static func shown(_ value: Summary.Value) -> String {
    switch value {
    case .count(let count): TextColumns.grouped(count)
    case .number(let number): String(format: "%.3f", number)
    case .text(let text): text.replacingOccurrences(of: "\n", with: "\n" + String(repeating: " ", count: 26))
    }
  }

  /// Control characters made visible, lines cut to a width: a sample must not upset a terminal.
  private static func wrapped(_ text: String, _ width: Int) -> [String] {
    var lines: [String] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      var rest = Terminal.maskedLine(String(line)).unicodeScalars.map { Character($0) }[...]
      repeat {
        lines.append(String(rest.prefix(width)))
        rest = rest.dropFirst(width)
      } while !rest.isEmpty
    }
    return lines
  }
}
