import Foundation

/// Files of the repository that belong to no target.
package enum Repository {
  package static let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// The path of a file, such as `pipelines/sample.txt.zst`.
  package static func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}
