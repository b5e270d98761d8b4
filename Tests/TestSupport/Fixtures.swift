import Foundation
import Support

/// The files in the Fixtures folder of a test target.
package struct Fixtures: Sendable {
  private let directory: String

  /// `bundle` is the target's own: `.module`.
  package init(of bundle: Bundle) { directory = bundle.resourcePath! + "/Fixtures" }

  package func path(_ name: String) -> String { Path.join(directory, name) }

  /// The whole content, decompressed.
  package func bytes(_ name: String) throws -> [UInt8] { try Self.bytes(at: path(name)) }

  package func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

  /// The whole content of any file, decompressed.
  package static func bytes(at path: String) throws -> [UInt8] {
    let file = try InputFile(path)
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try part.withUnsafeMutableBytes { try file.read(into: $0) }
      if count == 0 { return bytes }
      bytes += part[..<count]
    }
  }
}
