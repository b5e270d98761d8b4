import TestSupport

/// Texts that people have written.
enum RealText {
  static let prose = text("prose.txt.zst")
  static let multilingual = text("multilingual.txt.zst")

  private static func text(_ name: String) -> String {
    do { return try Fixtures(of: .module).text(name) } catch { fatalError("\(error)") }
  }
}
