import Foundation
import Shards
import TestSupport

/// A dataset of random ids for tests of the commands that take one.
enum SampleDataset {
  @discardableResult
  static func write(
    _ directory: String, documents: Int = 500, vocabulary: Int = 300, split: String = "train",
    seed: UInt64 = 1
  ) throws -> DatasetIndex {
    try writeDataset(
      directory, randomDocuments(documents, vocabulary: vocabulary, lengths: 30...229, seed: seed),
      vocabulary: vocabulary, tokenizer: Array("{\"vocabulary\": \(vocabulary)}".utf8), split: split,
      shardTokens: 20_000)
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
