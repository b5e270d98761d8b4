import Foundation
import Support
import Testing

@Suite struct OutputFileTests {
  /// zstd with workers and without writes different frames; ours must not depend on the number of threads.
  @Test func compressionThreadsDoNotChangeABit() throws {
    let directory = FileManager.default.temporaryDirectory.path + "/pkm-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var generator = RandomGenerator(seed: 1)
    let text = (0..<3_000_000).map { _ in UInt8(97 + generator.below(9)) }
    var results: [[UInt8]] = []
    for threads in 1...3 {
      let path = directory + "/\(threads).zst"
      let file = try OutputFile(path, compressionThreads: threads)
      for start in stride(from: 0, to: text.count, by: 70_001) {
        try file.write(Array(text[start..<min(text.count, start + 70_001)]))
      }
      try file.finish()
      results.append(try MappedFile.read(path))
    }
    #expect(results[0] == results[1] && results[0] == results[2])
    let input = try InputFile(directory + "/1.zst")
    var plain = [UInt8](repeating: 0, count: text.count + 1)
    #expect(try plain.withUnsafeMutableBytes { try input.read(into: $0) } == text.count)
    #expect(plain.dropLast().elementsEqual(text))
  }

  @Test func exchangeSwapsTwoDirectories() throws {
    let directory = FileManager.default.temporaryDirectory.path + "/pkm-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    for name in ["a", "b"] {
      try SystemCall.makeDirectories(directory + "/" + name)
      try Data(name.utf8).write(to: URL(fileURLWithPath: directory + "/\(name)/content"))
    }
    try SystemCall.exchange(directory + "/a", directory + "/b")
    #expect(try MappedFile.read(directory + "/a/content") == Array("b".utf8))
    #expect(try MappedFile.read(directory + "/b/content") == Array("a".utf8))
    #expect(throws: Failure.self) { try SystemCall.exchange(directory + "/a", directory + "/none") }
  }
}
