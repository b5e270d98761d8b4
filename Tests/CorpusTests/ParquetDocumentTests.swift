import Foundation
import Support
import TestSupport
import Testing

@testable import Corpus

/// Parquet files as inputs: their rows are read as the same rows in JSON lines are.
@Suite(.timeLimit(.minutes(60))) struct ParquetDocumentTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static func fixture(_ name: String) -> String {
    Repository.path("Tests/ParquetTests/Fixtures/\(name)")
  }

  @Test(arguments: ["flat", "delta", "nested", "plain"], [1, 100, 1 << 20])
  func rowsAreReadAsJSONLines(_ name: String, _ batchBytes: Int) throws {
    let options = ReaderOptions(batchBytes: batchBytes)
    let found = try ReadDocuments([Self.fixture(name + ".parquet")], options)
    let expected = try ReadDocuments([Self.fixture(name + ".jsonl")], options)
    #expect(!found.texts.isEmpty)
    #expect(found == expected)
    // Some texts are null.
    #expect(found.counts.count(.jsonTextsMissing) > 0)
  }

  @Test func theTextMayBeNested() throws {
    let options = ReaderOptions(textField: "meta.name")
    let found = try ReadDocuments([Self.fixture("nested.parquet")], options)
    #expect(found == (try ReadDocuments([Self.fixture("nested.jsonl")], options)))
    #expect(found.texts.contains("é"))
  }

  private func rendered(_ path: String, _ options: ReaderOptions) throws -> [JSONValue] {
    let reader = try DocumentReader(inputs: [path], options: options)
    var (bytes, counts) = ([UInt8](), Summary())
    while let batch = try reader.next() { bytes += DocumentRenderer().render(batch, counts: &counts) }
    return try bytes.split(separator: 0x0a).map { try JSONValue(parsing: Array($0)) }
  }

  private static func keys(_ value: JSONValue) -> [String] {
    guard case .object(let members) = value else { return [] }
    return members.map { String(decoding: $0.key, as: UTF8.self) }
  }

  @Test func columnsAreChosen() throws {
    var options = ReaderOptions()
    let all = try rendered(Self.fixture("flat.parquet"), options)
    #expect(Self.keys(all[0]) == ["text", "word", "flag", "i32", "near", "f64", "bytes", "date"])
    options.columns = ["date", "i32"]
    let some = try rendered(Self.fixture("flat.parquet"), options)
    #expect(some.count == all.count)
    for (one, other) in zip(some, all) {
      #expect(Self.keys(one) == ["text", "i32", "date"])
      for key in Self.keys(one) { #expect(one[key] == other[key]) }
    }
    options.columns = ["nothing"]
    #expect(throws: Failure.self) { try rendered(Self.fixture("flat.parquet"), options) }
  }

  @Test func foldersAddTheirKeys() throws {
    let bytes = try Fixtures.bytes(at: Self.fixture("flat.parquet"))
    let path = try scratch.write(
      "a=b/no/year=1999/date=x/part=a%20b/n=__HIVE_DEFAULT_PARTITION__/x.parquet", bytes)
    let row = try rendered(path, ReaderOptions())[0]
    #expect(Self.keys(row).suffix(4) == ["date", "year", "part", "n"])
    #expect(row["year"]?.string == "1999" && row["part"]?.string == "a b")
    #expect(row["n"] == .null)
    // A column keeps its value.
    #expect(row["date"]?.string != "x")
  }

  @Test func directoriesHoldFilesOfBothKinds() throws {
    try scratch.write("d/train-00001.parquet", Fixtures.bytes(at: Self.fixture("delta.parquet")))
    try scratch.write("d/train-00000.parquet", Fixtures.bytes(at: Self.fixture("flat.parquet")))
    try scratch.write("d/z.jsonl", "{\"text\":\"last\"}\n")
    let found = try ReadDocuments([scratch.path("d")])
    let parts = try ["flat.jsonl", "delta.jsonl"].map { try ReadDocuments([Self.fixture($0)]).texts }
    #expect(found.texts == parts[0] + parts[1] + ["last"])
  }

  @Test func whatCannotBeReadIsRefused() throws {
    let bytes = try Fixtures.bytes(at: Self.fixture("flat.parquet"))
    func failure(_ path: String) -> Failure? {
      do {
        _ = try ReadDocuments([path])
        return nil
      } catch { return error as? Failure }
    }
    let cut = try scratch.write("d/cut.parquet", Array(bytes.dropLast(3)))
    #expect(failure(cut)?.message.contains("it does not end as a Parquet file does") == true)
    #expect(failure(cut)?.kind == .badInput)
    let packed = try scratch.write("x.parquet.gz", Gzip.compress(bytes))
    #expect(failure(packed)?.message.contains("a compressed Parquet file") == true)
    // In a directory it is left out, with a word.
    try scratch.write("d/a.txt", "text\n")
    let found = try ReadDocuments([scratch.path("d")])
    #expect(found.texts == ["text"] && found.counts.count(.inputsNotTextSkipped) == 1)
  }

  /// Damage costs the rest of a row group and is counted; in strict mode it is an error.
  @Test func damagedPagesAreCounted() throws {
    var bytes = try Fixtures.bytes(at: Self.fixture("nested.parquet"))
    let sound = try ReadDocuments([Self.fixture("nested.parquet")])
    // Within the first page behind the magic number, whose checksum tells.
    bytes[60] ^= 1
    let path = try scratch.write("x.parquet", bytes)
    let found = try ReadDocuments([path])
    #expect(found.counts.count(.inputsDamaged) == 1)
    #expect(found.counts.count(CountName("parquet_row_groups_damaged")) == 1)
    #expect(!found.texts.isEmpty && found.texts == sound.texts.suffix(found.texts.count))
    #expect(found.lines == sound.lines.suffix(found.texts.count))
    #expect(throws: Failure.self) { try ReadDocuments([path], ReaderOptions(isStrict: true)) }
  }
}
