import Foundation
import Testing

/// Sources/README.md names files and functions that exist.
@Suite struct SourcesPageTests {
  private static let sources = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Sources")

  @Test func everyStopExists() throws {
    let page = try String(contentsOf: Self.sources.appendingPathComponent("README.md"), encoding: .utf8)
    let stops = page.split(separator: "\n").filter { $0.first?.isNumber == true }
    #expect(stops.count == 40, "two walks of twenty stops")
    for stop in stops {
      // The head of a stop, before the colon: a file, then functions of it.
      let names = stop.prefix { $0 != ":" }.split(separator: "`").filter { $0.first?.isLetter == true }
      let file = Self.sources.appendingPathComponent(String(names[0]))
      let text = try String(contentsOf: file, encoding: .utf8)
      for name in names.dropFirst() where !name.hasSuffix(".swift") && name.first?.isLowercase == true {
        guard name.allSatisfy({ $0.isLetter || "(:)".contains($0) }) else { continue }
        let base = name.prefix { $0 != "(" }
        #expect(
          text.contains("func \(base)") || text.contains("var \(base)") || stop.contains("JSONLine.swift"),
          "\(stop)")
      }
    }
  }
}
