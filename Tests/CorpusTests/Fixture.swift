import Corpus
import Foundation
import Support

/// Files that the tests read.
enum Fixture {
  static func path(_ name: String) -> String {
    Bundle.module.path(forResource: "Fixtures/\(name)", ofType: nil)!
  }

  /// The decompressed content.
  static func bytes(_ name: String) throws -> [UInt8] { try bytes(at: path(name)) }

  static func bytes(at path: String) throws -> [UInt8] {
    let file = try InputFile(path)
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try piece.withUnsafeMutableBytes { try file.read(into: $0) }
      if count == 0 { return bytes }
      bytes += piece[..<count]
    }
  }
}

/// A temporary directory for one test, removed when the test ends.
final class Scratch {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("pkm-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = url.appendingPathComponent(name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
    return file.path
  }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }
}

/// All documents of a reader, as text.
struct ReadDocuments: Equatable {
  var texts: [String] = []
  var lines: [Int] = []
  var counts = Summary()

  init(_ inputs: [String], _ options: ReaderOptions = ReaderOptions()) throws {
    let reader = try DocumentReader(inputs: inputs, options: options)
    while let batch = try reader.next() {
      batch.forEachDocument { _, text in texts.append(String(decoding: text, as: UTF8.self)) }
      lines += batch.lines
      counts.merge(batch.counts)
    }
  }

  static func == (a: ReadDocuments, b: ReadDocuments) -> Bool {
    a.texts == b.texts && a.lines == b.lines && a.counts.json == b.counts.json
  }
}
