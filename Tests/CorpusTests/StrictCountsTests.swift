import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// `--strict` by table: a small input for every count of reading. A count that means a loss is an error in strict mode,
/// one that means a repair is none.
///
/// The counts are those that the sources define, so that a new one without an input fails.
@Suite(.timeLimit(.minutes(60))) struct StrictCountsTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// An input that is counted under a name, so many times.
  private struct Case: Sendable {
    let name: String
    let count: Int
    var options = ReaderOptions()
    /// The name of the input, which states its format.
    var file = "in.txt"
    /// Whether the file is found in a directory.
    var isFound = false
    let bytes: @Sendable () throws -> [UInt8]

    init(
      _ name: CountName, _ count: Int = 1, _ options: ReaderOptions = ReaderOptions(),
      file: String = "in.txt",
      isFound: Bool = false, _ bytes: @escaping @Sendable () throws -> [UInt8]
    ) {
      (self.name, self.count, self.options) = (name.rawValue, count, options)
      (self.file, self.isFound, self.bytes) = (file, isFound, bytes)
    }
  }

  private static func text(_ text: String) -> @Sendable () -> [UInt8] { { Array(text.utf8) } }

  private static func warc(_ build: @escaping @Sendable (inout WARCBuilder) -> Void)
    -> @Sendable () -> [UInt8]
  {
    {
      var file = WARCBuilder()
      build(&file)
      return file.bytes
    }
  }

  private static func limit(_ longest: Int, batch: Int = 1 << 20, _ splitting: DocumentSplitting = .line)
    -> ReaderOptions
  { ReaderOptions(splitting: splitting, longestDocument: longest, batchBytes: batch) }

  private static func zstd(_ text: String) throws -> [UInt8] {
    try Scratch().compressed(Array(text.utf8), as: "in.zst")
  }

  private static let long = String(repeating: "x", count: 100)
  private static let chunked = ["Transfer-Encoding: chunked"]

  private static var losses: [Case] {
    let tooLong = CountName.documentsTooLong
    return [
      Case(.documentsInvalid, 1, ReaderOptions(invalid: .drop)) { Array("a\n".utf8) + [0xff, 0x0a] },
      Case(.documentsInvalid, 1, ReaderOptions(invalid: .drop), file: "in.jsonl") {
        Array(#"{"text":"a"}"#.utf8) + [0x0a] + Array(#"{"text":""#.utf8) + [0xff] + Array(#""}"#.utf8)
      },
      Case(.documentsInvalid, 1, ReaderOptions(invalid: .drop), file: "in.warc") {
        var file = WARCBuilder()
        file.record("conversion", [], [0x61, 0xff])
        return file.bytes
      },
      // Each place that measures a document: a line in a block, one longer than a block, a paragraph, a file.
      Case(tooLong, 1, limit(50), text("a\n\(long)\nb\n")),
      Case(tooLong, 1, limit(50, batch: 16), text("a\n\(long)\nb\n")),
      Case(tooLong, 1, limit(50, .paragraph), text("a\n\n\(long)\n\nb\n")),
      Case(tooLong, 1, limit(50, batch: 16, .file), text(long)),
      Case(tooLong, 1, limit(50), file: "in.jsonl", text("{\"text\":\"\(long)\"}\n{\"text\":\"a\"}\n")),
      Case(
        tooLong, 1, limit(50, batch: 16), file: "in.jsonl", text("{\"text\":\"\(long)\"}\n{\"text\":\"a\"}\n")
      ),
      Case(tooLong, 1, limit(50), file: "in.warc", warc { $0.record("conversion", [], long) }),
      Case(tooLong, 1, limit(120), file: "in.warc") {
        var file = WARCBuilder()
        file.response(
          "text/plain", Gzip.compress([UInt8](repeating: 0x61, count: 2000)), ["Content-Encoding: gzip"])
        return file.bytes
      },
      Case(
        .httpBodiesDamaged, file: "in.warc",
        warc { $0.response("text/plain", Array("5\r\nabc".utf8), chunked) }),
      Case(
        .httpBodiesTruncated, file: "in.warc",
        warc { $0.response("text/plain", Array("3\r\nabc\r\n".utf8), chunked) }),
      Case(
        .httpBodiesTruncated, file: "in.warc",
        warc { $0.response("text/plain", Array("abc".utf8), ["Content-Length: 9"]) }),
      Case(.inputsDamaged) { Array(Gzip.compress(Array("some text\n".utf8)).dropLast(4)) },
      Case(CountName("gzip_members_damaged")) { Array(Gzip.compress(Array("some text\n".utf8)).dropLast(4)) },
      Case(CountName("zstd_frames_damaged")) { Array(try zstd("some text\n").dropLast(2)) },
      Case(CountName("foreign_bytes_ignored")) {
        Gzip.compress(Array("some text\n".utf8)) + Array("more".utf8)
      },
      Case(CountName("foreign_bytes_ignored")) { try zstd("some text\n") + Array("more".utf8) },
      Case(.inputsNotTextSkipped, isFound: true) {
        Array("\u{7f}ELF".utf8) + [2, 1, 1] + [UInt8](repeating: 0, count: 60)
      },
      Case(.invalidCharactersReplaced, 1, ReaderOptions(encoding: .named(Charset("euc-jp")!))) {
        Array("a\n".utf8) + [0xff, 0x0a]
      },
      Case(.invalidUTF8Replaced, 2) { [0x61, 0xff, 0x0a, 0xc3, 0x0a] },
      Case(.invalidUTF8Replaced, file: "in.warc") {
        var file = WARCBuilder()
        file.record("conversion", [], [0x61, 0xff])
        return file.bytes
      },
      Case(.jsonLinesBroken, file: "in.jsonl", text("{\"text\":\"a\"}\n{\"text\":\n")),
      Case(.jsonLinesBroken, file: "in.json", text("[{\"text\":\"a\"},\n")),
      Case(.jsonTextsMissing, file: "in.jsonl", text("{\"text\":\"a\"}\n{\"body\":\"b\"}\n")),
      Case(.jsonTextsMissing, file: "in.jsonl", text("{\"text\":\"a\"}\n{\"text\":5}\n")),
      Case(.loneSurrogatesReplaced, file: "in.jsonl", text(#"{"text":"a\ud800"}"#)),
      Case(.warcBytesSkipped, 5, file: "in.warc") {
        var file = WARCBuilder()
        file.record("conversion", [], "one")
        let rest = file.bytes
        return rest + Array("junk\n".utf8) + rest
      },
      Case(
        .warcLengthsWrong, file: "in.warc",
        warc {
          $0.record("conversion", [], "one and two", length: "3")
          $0.record("conversion", [], "three")
        }),
      Case(
        .warcRecordsTruncated, file: "in.warc", warc { $0.record("conversion", [], "one", length: "300") }),
      Case(
        CountName("warc_records_skipped_broken_http"), file: "in.warc",
        warc { $0.record("response", ["Content-Type: application/http; msgtype=response"], "no head") }),
      Case(
        CountName("warc_records_skipped_unknown_coding"), file: "in.warc",
        warc { $0.response("text/plain", [0x80, 0x03, 0xff, 0x00, 0x17], ["Content-Encoding: rot13"]) }),
    ]
  }

  private static var repairs: [Case] {
    [
      Case(.blankLinesSkipped, file: "in.jsonl", text("{\"text\":\"a\"}\n\n{\"text\":\"b\"}\n")),
      Case(.bomRemoved, file: "in.txt", text("\u{feff}a\n")),
      Case(
        .httpBodiesDecodedBefore, file: "in.warc",
        warc {
          $0.response("text/plain", Array("not in chunks".utf8), chunked)
        }),
      Case(.inputsWithCRLineEnds, file: "in.txt", text("a\rb\r")),
      Case(.inputsWithJSONValues, file: "in.json", text("[{\"text\":\"a\"},\n {\"text\":\"b\"}]\n")),
      Case(.jsonLinesSplit, file: "in.jsonl", text("{\"text\":\"c\"}\n{\"text\":\"a\"}{\"text\":\"b\"}\n")),
      Case(
        .jsonValuesSplit, 2, file: "in.jsonl", text("{\"text\":\"c\"}\n{\"text\":\"a\"}{\"text\":\"b\"}\n")),
      Case(.jsonCommentsSkipped, file: "in.jsonl", text("{\"text\":\"a\"}\n// why\n{\"text\":\"b\"}\n")),
      Case(.warcRecords, file: "in.warc", warc { $0.record("conversion", [], "one") }),
      Case(
        .warcRecordsMarkedTruncated, file: "in.warc",
        warc {
          $0.record("conversion", ["WARC-Truncated: length"], "one")
        }),
      Case(
        CountName("warc_records_skipped_html"), file: "in.warc",
        warc {
          $0.response("text/html", Array("<p>".utf8))
        }),
    ]
  }

  /// Counts that come from what is done with documents that were read whole, or from the listing of inputs.
  private static let ofOtherWork: Set<String> = [
    "blank_lines_dropped", "citations_removed", "controls_removed", "documents_changed", "documents_dropped",
    "documents_flagged", "documents_without_url", "inputs_skipped_held_out", "inputs_skipped_made",
    "inputs_skipped_own", "inputs_skipped_repeated", "inputs_skipped_special", "line_ends_to_spaces",
    "unassigned_characters",
  ]

  /// What other suites provoke: `DocumentReaderTests`, where a file has to change between two reads, and
  /// `ParquetDocumentTests`, which need a file of several row groups.
  private static let testedElsewhere: Set<String> = ["inputs_changed", "parquet_row_groups_damaged"]

  /// The names of all counts in a source file.
  private static func names(in file: String) throws -> [String] {
    let text = try String(contentsOfFile: Repository.path(file), encoding: .utf8)
    return text.matches(of: /static let \w+ = CountName\("(\w+)"\)|case \w+ = "(\w+)"/).map {
      String($0.output.1 ?? $0.output.2!)
    }
  }

  @Test func everyCountHasItsInput() throws {
    let defined =
      try Self.names(in: "Sources/Corpus/CountName+Corpus.swift")
      + Self.names(in: "Sources/Support/Damage.swift")
    #expect(defined.count > 35)
    let tested = Set((Self.losses + Self.repairs).map(\.name))
    for name in defined {
      let places = [
        tested.contains(name), Self.ofOtherWork.contains(name), Self.testedElsewhere.contains(name),
      ]
      #expect(places.count { $0 } == 1, "\(name): give an input that is counted so, as a loss or a repair")
    }
    let known = Set(defined)
    for name in tested.union(Self.ofOtherWork).union(Self.testedElsewhere)
    where !name.hasPrefix("warc_records_skipped_") {
      #expect(known.contains(name), "\(name) is no count")
    }
  }

  private func read(_ one: Case, isStrict: Bool) throws -> ReadDocuments {
    let directory = "\(UUID().uuidString)"
    let path = try scratch.write("\(directory)/\(one.file)", one.bytes())
    var options = one.options
    options.isStrict = isStrict
    return try ReadDocuments([one.isFound ? scratch.path(directory) : path], options)
  }

  @Test func lossesAreCountedAndAreErrorsInStrictMode() throws {
    for (index, one) in Self.losses.enumerated() {
      let found = try read(one, isStrict: false)
      #expect(found.counts.count(CountName(one.name)) == one.count, "\(one.name), case \(index): \(found)")
      let failure = failure { _ = try read(one, isStrict: true) }
      #expect(failure?.kind == .badInput, "\(one.name), case \(index): \(String(describing: failure))")
      #expect(failure?.file?.hasSuffix(one.file) == true, "\(one.name), case \(index)")
    }
  }

  @Test func repairsAreCountedAndAreNoErrors() throws {
    for one in Self.repairs {
      let found = try read(one, isStrict: false)
      #expect(found.counts.count(CountName(one.name)) == one.count, "\(one.name): \(found)")
      #expect(try read(one, isStrict: true) == found, "\(one.name)")
    }
  }
}
