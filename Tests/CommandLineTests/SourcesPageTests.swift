import Foundation
import Testing

/// Sources/README.md names files and functions that exist.
@Suite(.timeLimit(.minutes(60))) struct SourcesPageTests {
  private static let sources = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Sources")

  @Test func everyStopExists() throws {
    let page = try String(contentsOf: Self.sources.appendingPathComponent("README.md"), encoding: .utf8)
    let stops = page.split(separator: "\n").filter { $0.first?.isNumber == true }
    #expect(stops.count == 40, "two walks of twenty stops")
    for stop in stops {
      // The head of a stop, before the colon: files, each followed by functions of it. A file without a directory is beside
      // the one before it.
      var file = Self.sources, text = ""
      for name in stop.prefix(while: { $0 != ":" }).split(separator: "`") {
        if name.hasSuffix(".swift") {
          file = (name.contains("/") ? Self.sources : file.deletingLastPathComponent())
            .appendingPathComponent(String(name))
          text = try String(contentsOf: file, encoding: .utf8)
        } else if name.first?.isLowercase == true, name.allSatisfy({ $0.isLetter || "(:)".contains($0) }) {
          let base = name.prefix { $0 != "(" }
          #expect(text.contains("func \(base)") || text.contains("var \(base)"), "\(stop)")
        }
      }
      #expect(!text.isEmpty, "\(stop) names no file")
    }
  }
}
