import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DecompressionTests {
  /// One byte more than the limit, so that who asks sees that there is more.
  @Test(arguments: [("gz", Decompression.Format.gzip), ("zst", .zstd)])
  func theByteAfterTheLimitTells(suffix: String, format: Decompression.Format) throws {
    let scratch = try Scratch()
    let file = try OutputFile(scratch.path("text." + suffix))
    let text = (0..<100).map { UInt8($0) }
    try file.write(text)
    try file.finish()
    let compressed = try scratch.bytes("text." + suffix)
    for (limit, count) in [(100, 100), (99, 100), (98, 99), (7, 8), (1000, 100)] {
      let result = try compressed.withUnsafeBytes {
        try Decompression.decompress($0, format, sizeLimit: limit, file: "text")
      }
      #expect(result.bytes == Array(text[..<count]), "limit \(limit)")
    }
  }
}
