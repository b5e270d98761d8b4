import Support

/// How long documents or tokens are, in classes of powers of two.
struct LengthHistogram {
  /// `tokens` or `bytes`.
  let unit: String
  /// What has the length: `documents` or `tokens`.
  let counted: String
  private(set) var count = 0
  private(set) var total = 0
  private(set) var shortest = Int.max
  private(set) var longest = 0
  /// Class 0 holds length 0, class n the lengths of n bits.
  private var classes: [Int] = []

  init(unit: String, counted: String = "documents") {
    self.unit = unit
    self.counted = counted
  }

  mutating func add(_ length: Int) {
    count += 1
    total += length
    shortest = min(shortest, length)
    longest = max(longest, length)
    let number = Int.bitWidth - length.leadingZeroBitCount
    while classes.count <= number { classes.append(0) }
    classes[number] += 1
  }

  private static func range(_ number: Int) -> ClosedRange<Int> {
    number == 0 ? 0...0 : (1 << (number - 1))...((1 << number) - 1)
  }

  func write(to json: inout JSONWriter) {
    json.object(.spaced) { json in
      json.member("unit", unit)
      json.member("shortest", count > 0 ? shortest : 0)
      json.member("longest", longest)
      json.key("classes")
      json.array(.spaced) { json in
        for (number, count) in classes.enumerated() where count > 0 {
          json.object(.spaced) {
            $0.member("from", Self.range(number).lowerBound)
            $0.member("to", Self.range(number).upperBound)
            $0.member(counted, count)
          }
        }
      }
    }
  }

  var picture: [String] {
    var lines = [
      "  \(counted) by length in \(unit): from \(TextColumns.grouped(shortest)) to \(TextColumns.grouped(longest)), "
        + "mean \(TextColumns.grouped(total / max(1, count)))",
      "",
    ]
    let most = classes.max() ?? 1
    let first = classes.firstIndex { $0 > 0 } ?? 0
    for number in first..<classes.count {
      let eighths = (classes[number] * 40 * 8 + most - 1) / most
      let bar =
        String(repeating: "█", count: eighths / 8)
        + (eighths % 8 == 0 ? "" : String(Array("▏▎▍▌▋▊▉")[eighths % 8 - 1]))
      lines.append(
        TextColumns.right(TextColumns.grouped(Self.range(number).lowerBound), 14) + "  "
          + TextColumns.left(bar, 41) + TextColumns.grouped(classes[number]))
    }
    return lines
  }
}
