import Foundation
import Shards
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct VerifyCommandTests {
  @Test func everyProblemIsListed() throws {
    let scratch = try Scratch()
    let index = try SampleDataset.write(scratch.path("d"))
    #expect(index.shards.count > 2)
    let sound = try Tool.data("verify", scratch.path("d"), "--summary", scratch.path("s.json"))
    #expect(sound.status == 0 && sound.errors.contains("problems 0"))
    #expect(try scratch.text("s.json").contains("\"tokens\": \(index.shards.reduce(0) { $0 + $1.tokens })"))

    try FileManager.default.removeItem(atPath: scratch.path("d/train-00001.tokens.zst"))
    try scratch.write("d/notes", "x")
    try scratch.write("d/tokenizer.json", "{}")
    let shard = URL(fileURLWithPath: scratch.path("d/train-00000.tokens.zst"))
    var bytes = try Data(contentsOf: shard)
    bytes[bytes.count / 2] ^= 8
    try bytes.write(to: shard)
    let result = try Tool.data("verify", scratch.path("d"))
    #expect(result.status == 65)
    for part in [
      "train-00001.tokens.zst: the file is missing", "notes: the file does not belong to the dataset",
      "tokenizer.json: its SHA-256 is", "train-00000.tokens.zst at byte 0: ", "4 problems",
    ] {
      #expect(result.errors.contains(part), "\(part)\n\(result.errors)")
    }
  }

  @Test func deepDecodes() throws {
    let scratch = try Scratch()
    let text = try scratch.write("a.txt", (0..<300).map { "Line \($0) of a  text,\twith words.\n" }.joined())
    let bpe = scratch.path("bpe.json")
    #expect(try Tool.data("learn-bpe", text, "--merges", "50", "-o", bpe).status == 0)
    #expect(try Tool.data("encode", text, "--tokenizer", bpe, "-o", scratch.path("d/")).status == 0)
    let sound = try Tool.data("verify", "--deep", scratch.path("d"))
    #expect(sound.status == 0 && sound.errors.contains("documents_decoded 300"), "\(sound.errors)")

    // The same ids with rows that claim a word too many: every checksum is right, the claim is not.
    let tokenizer = [UInt8](try Data(contentsOf: URL(fileURLWithPath: scratch.path("d/tokenizer.json"))))
    let dataset = try Dataset(scratch.path("d"))
    let writer = try DatasetWriter(
      directory: scratch.path("false"), tokenizerJSON: tokenizer,
      vocabularySize: dataset.index.vocabularySize,
      endOfDocument: dataset.index.endOfDocument)
    var number = 0
    try EncodedDocumentReader(dataset, split: "train").forEachDocument { tokens, row in
      try writer.append(tokens, textBytes: row.textBytes, words: row.words + (number == 7 ? 1 : 0))
      number += 1
    }
    try writer.finish()
    #expect(try Tool.data("verify", scratch.path("false")).status == 0)
    let found = try Tool.data("verify", "--deep", scratch.path("false"))
    #expect(found.status == 65 && found.errors.contains("document 8 of train decodes to"), "\(found.errors)")
  }

  @Test func whatIsNoDataset() throws {
    let scratch = try Scratch()
    #expect(try Tool.data("verify", scratch.path("none")).status == 74)
    let empty = try Tool.data("verify", scratch.url.path)
    #expect(empty.status == 65 && empty.errors.contains("it has no index.json"))
  }
}
