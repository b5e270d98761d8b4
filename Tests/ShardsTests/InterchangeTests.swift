import Foundation
import Support
import TestSupport
import Testing

@testable import Shards

/// Token files of other trainers are written, compared with the published layout, and read back.
@Suite(.timeLimit(.minutes(60))) struct InterchangeTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func export(
    _ documents: [TestDocument], _ format: TokenFileFormat, vocabulary: Int = 1000, to name: String = "out",
    _ change: (inout DatasetExporter) -> Void = { _ in }
  ) throws -> [String] {
    try writeDataset(scratch.path("in"), documents, vocabulary: vocabulary, shardTokens: 5000)
    var exporter = DatasetExporter(format)
    change(&exporter)
    return try exporter.write(Dataset(scratch.path("in")), splits: ["train"], to: scratch.path(name))
  }

  private func imported(
    _ paths: [String], _ format: TokenFileFormat? = nil, vocabulary: Int = 1000, to name: String = "back"
  ) throws -> [TestDocument] {
    let writer = try DatasetWriter(
      directory: scratch.path(name), tokenizerJSON: testTokenizer, vocabularySize: vocabulary,
      endOfDocument: 0)
    let importer = DatasetImporter(into: writer) { (4 * $0.count, $0.count / 2) }
    let sources = try paths.flatMap { try DatasetImporter.sources($0, format: format, split: nil) }
    for (number, source) in sources.enumerated() {
      try importer.add(source, isLast: number == sources.count - 1)
    }
    try writer.finish()
    return try readDocuments(Dataset(scratch.path(name)))
  }

  private func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: scratch.path(name))))
  }

  private func words<Word: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>, _: Word.Type) -> [Word] {
    bytes.withUnsafeBytes { bytes in
      (0..<(bytes.count / MemoryLayout<Word>.size)).map {
        bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Word>.size, as: Word.self)
      }
    }
  }

  @Test(arguments: [1000, 70_000])
  func importsWhatItExports(vocabulary: Int) throws {
    let documents = randomDocuments(100, vocabulary: vocabulary)
    for format in TokenFileFormat.allCases where !(format == .nanogpt && vocabulary > 1 << 16) {
      for isKept in [true, false] where format == .megatron || isKept {
        try? FileManager.default.removeItem(atPath: scratch.path("in"))
        _ = try export(documents, format, vocabulary: vocabulary, to: "\(format)-\(isKept)") {
          $0.keepsEndOfDocument = isKept
          $0.shardTokens = 3000
        }
        let back = try imported(
          [scratch.path("\(format)-\(isKept)")], format == .nanogpt ? .nanogpt : nil, vocabulary: vocabulary,
          to: "back-\(format)-\(isKept)")
        #expect(back == documents, "\(format)")
      }
    }
  }

  private let three = [
    TestDocument(tokens: [5, 6], textBytes: 8, words: 1), TestDocument(tokens: []),
    TestDocument(tokens: [7, 8, 9], textBytes: 12, words: 1),
  ]

  @Test func megatronLayout() throws {
    #expect(try export(three, .megatron) == ["train_text_document.bin", "train_text_document.idx"])
    let ids = try bytes("out/train_text_document.bin")
    #expect(words(ids[...], UInt16.self) == [5, 6, 0, 0, 7, 8, 9, 0])
    let index = try bytes("out/train_text_document.idx")
    #expect(index.count == 34 + 12 * 3 + 8 * 4)
    #expect(Array(index[..<9]) == Array("MMIDIDX\0\0".utf8) && index[17] == 8)
    #expect(words(index[9..<17], UInt64.self) == [1] && words(index[18..<34], UInt64.self) == [3, 4])
    #expect(words(index[34..<46], Int32.self) == [3, 1, 4])
    #expect(words(index[46..<70], Int64.self) == [0, 6, 8])
    #expect(words(index[70...], Int64.self) == [0, 1, 2, 3])
  }

  @Test func llmcLayout() throws {
    #expect(try export(three, .llmc) { $0.shardTokens = 5 } == ["train_000000.bin", "train_000001.bin"])
    let first = try bytes("out/train_000000.bin")
    #expect(words(first[..<1024], Int32.self) == [20_240_520, 1, 5] + [Int32](repeating: 0, count: 253))
    #expect(words(first[1024...], UInt16.self) == [0, 5, 6, 0, 0])
    #expect(words(try bytes("out/train_000001.bin")[1024...], UInt16.self) == [7, 8, 9])
  }

  @Test func nanoGPTAndNumPyLayout() throws {
    #expect(try export(three, .nanogpt, to: "nano") == ["train.bin"])
    #expect(words(try bytes("nano/train.bin")[...], UInt16.self) == [5, 6, 0, 0, 7, 8, 9, 0])
    try FileManager.default.removeItem(atPath: scratch.path("in"))
    #expect(try export(three, .numpy, to: "numpy") == ["train.npy", "train.documents.npy"])
    let array = try bytes("numpy/train.npy")
    #expect(Array(array[..<8]) == [0x93] + Array("NUMPY".utf8) + [1, 0] && array.count == 128 + 16)
    #expect(
      String(decoding: array[10..<128], as: UTF8.self)
        .hasPrefix("{'descr': '<u2', 'fortran_order': False, 'shape': (8,), }  "))
    #expect(words(try bytes("numpy/train.documents.npy")[128...], Int64.self) == [0, 3, 4, 8])
  }

  @Test func exportsAndImportsAnEmptyDataset() throws {
    for format in TokenFileFormat.allCases {
      try? FileManager.default.removeItem(atPath: scratch.path("in"))
      _ = try export([], format, to: "\(format)")
      #expect(
        try imported(
          [scratch.path("\(format)")], format == .nanogpt ? format : nil, to: "back-\(format)"
        ).isEmpty)
    }
  }

  @Test func rejectsWrongFilesWithTheirLocation() throws {
    _ = try export(randomDocuments(20, vocabulary: 1000), .megatron, to: "m")
    func expectRefusal(_ path: String, _ format: TokenFileFormat?, vocabulary: Int = 1000, _ message: String)
    {
      let found = failure { _ = try imported([scratch.path(path)], format, vocabulary: vocabulary) }
      #expect(found?.description.contains(message) == true, "\(path): \(found?.description ?? "read")")
      #expect(!FileManager.default.fileExists(atPath: scratch.path("back")))
    }
    expectRefusal("m/train_text_document", nil, vocabulary: 500, "is outside the vocabulary of 500")
    let whole = try bytes("m/train_text_document.idx")
    try Data(whole.dropLast(1)).write(to: URL(fileURLWithPath: scratch.path("m/train_text_document.idx")))
    expectRefusal("m", nil, "the file is truncated")
    try Data(whole).write(to: URL(fileURLWithPath: scratch.path("m/train_text_document.idx")))
    try Data([1, 0]).write(to: URL(fileURLWithPath: scratch.path("m/train_text_document.bin")))
    expectRefusal("m/train_text_document.bin", nil, "outside the .bin file")
    for (name, content, format, message) in [
      ("a.bin", Data([1, 2, 3]), nil, "no header that identifies its format"),
      ("b.bin", Data([1, 0, 3]), TokenFileFormat.nanogpt, "the last id is incomplete"),
      (
        "c.bin", Data(LLMCHeader.bytes(tokens: 3, tokenBytes: 2)) + Data([1, 0]), nil,
        "says 3 tokens, 1 follow"
      ),
      ("d.npy", Data(NumPyHeader.bytes(element: .u16, count: 4)), nil, "says 4 elements, 0 follow"),
      (
        "e.npy",
        Data([0x93] + Array("NUMPY\u{1}\0".utf8) + [54, 0] + Array("{'descr': '<f4', 'shape': (0,)}".utf8))
          + Data(repeating: 0x20, count: 40), nil, "not little-endian integers"
      ),
    ] as [(String, Data, TokenFileFormat?, String)] {
      try content.write(to: URL(fileURLWithPath: scratch.path(name)))
      expectRefusal(name, format, message)
    }
    expectRefusal("absent", nil, "no such file")
  }

  @Test func bytesThatNoSequenceHoldsAreRefused() throws {
    _ = try export(three, .megatron, to: "m")
    let path = scratch.path("m/train_text_document.bin")
    let whole = try bytes("m/train_text_document.bin")
    try Data(whole + [7, 0, 8, 0]).write(to: URL(fileURLWithPath: path))
    let refused = try #require(failure(of: { _ = try imported([scratch.path("m")], to: "back") }))
    #expect(
      "\(refused)".contains("4 bytes belong to no sequence") && "\(refused)".contains("byte \(whole.count)"))
  }

  @Test func damagedIndexesAreRejectedWithoutCrashing() throws {
    _ = try export(randomDocuments(10, vocabulary: 1000), .megatron, to: "m")
    let whole = try bytes("m/train_text_document.idx")
    var generator = RandomGenerator(seed: 5)
    var refused = 0
    for round in 0..<60 {
      var damaged = whole
      for _ in 0...generator.below(3) {
        damaged[9 + generator.below(whole.count - 9)] = UInt8(generator.below(256))
      }
      try Data(damaged).write(to: URL(fileURLWithPath: scratch.path("m/train_text_document.idx")))
      if failure(of: { _ = try imported([scratch.path("m")], to: "back-\(round)") }) != nil { refused += 1 }
    }
    #expect(refused > 20)
  }
}
