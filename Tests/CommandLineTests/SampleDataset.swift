import Foundation
import Shards
import Support

/// A dataset of random ids for tests of the commands that take one.
enum SampleDataset {
  @discardableResult
  static func write(
    _ directory: String, documents: Int = 500, vocabulary: Int = 300, split: String = "train",
    seed: UInt64 = 1
  ) throws -> DatasetIndex {
    let writer = try DatasetWriter(
      directory: directory, tokenizerJSON: Array("{\"vocabulary\": \(vocabulary)}".utf8),
      vocabularySize: vocabulary, endOfDocument: 0, split: split, shardTokens: 20_000)
    var generator = RandomGenerator(seed: seed)
    for _ in 0..<documents {
      let ids = (0..<(30 + generator.below(200))).map { _ in UInt32(1 + generator.below(vocabulary - 1)) }
      try ids.withUnsafeBufferPointer { try writer.append($0, textBytes: 4 * $0.count, words: $0.count / 2) }
    }
    return try writer.finish()
  }

  /// Names and content of all files below a directory.
  static func files(_ directory: String) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
      files[name] = try Data(contentsOf: URL(fileURLWithPath: directory + "/" + name))
    }
    return files
  }
}
