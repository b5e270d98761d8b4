import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DocumentReaderTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func read(_ text: String, name: String = "input.txt", _ options: ReaderOptions = ReaderOptions())
    throws
    -> ReadDocuments
  { try ReadDocuments([scratch.write(name, text)], options) }

  @Test func lines() throws {
    #expect(try read("").texts == [])
    #expect(try read("a\nb").texts == ["a", "b"])
    let odd = try read("a\r\n\r\n\nb\r\r\nc\u{0}d\u{2028}e\r")
    #expect(odd.texts == ["a", "", "", "b\r", "c\u{0}d\u{2028}e\r"] && odd.lines == [1, 2, 3, 4, 5])
  }

  @Test func paragraphs() throws {
    let found = try read("\n\na\nb\n \t\r\n\nc\r\nd\r\n\r\ne", ReaderOptions(splitting: .paragraph))
    #expect(found.texts == ["a\nb", "c\r\nd", "e"] && found.lines == [3, 7, 10])
  }

  @Test func wholeFiles() throws {
    let options = ReaderOptions(splitting: .file, batchBytes: 4)
    #expect(try read("one file\n\nof three lines\n", options).texts == ["one file\n\nof three lines\n"])
    #expect(try read("", options).texts == [])
  }

  @Test func removesAByteOrderMarkOnlyAtTheStart() throws {
    let found = try read("\u{feff}a\n\u{feff}b\n")
    #expect(found.texts == ["a", "\u{feff}b"] && found.counts.count(.bomRemoved) == 1)
  }

  @Test func jsonLines() throws {
    let text = #"""
      {"id": 1, "text": "plain"}

      {"text":"\u00e9\n\"\ud83d\ude00","meta":{"text":"no","body":"inner"}}
      {"text": 5}
      {"text": "cut
      {"other": "x"}
      [1]
      {"text": "half \ud83d pair \udc00.", "also": "\ud800"}
      {"text": ""}
      {"te\u0078t": "named by an escape"}
      {"text": "garbage after"} x
      """#
    let found = try read(text, name: "a.jsonl")
    #expect(found.texts == ["plain", "é\n\"😀", "half \u{fffd} pair \u{fffd}.", "", "named by an escape"])
    #expect(found.lines == [1, 3, 8, 9, 10])
    #expect(found.counts.count(.blankLinesSkipped) == 1)
    #expect(found.counts.count(.jsonLinesBroken) == 3)
    #expect(found.counts.count(.jsonTextsMissing) == 2)
    #expect(found.counts.count(.loneSurrogatesReplaced) == 2)
    #expect(try read(text, name: "a.jsonl", ReaderOptions(textField: "meta.body")).texts == ["inner"])
  }

  /// Numbers beyond 64 bits are valid JSON; ill-formed numbers are not.
  @Test func acceptsNumbersOfAnySize() throws {
    let good = #"""
      {"id":123456789012345678901234567890,"text":"a"}
      {"text":"b \" 5","x":[-1e400,{"y":-99999999999999999999},0,1.5E+999]}
      {"n":18446744073709551616,"text":"c \ud800 1e999"}
      {"a":{"n":1e999,"b":"inner"},"text":"d"}
      """#
    let bad = #"""
      {"text":"e","n":01}
      {"text":"f","n":99999999999999999999x}
      {"text":"g","n":1e}
      {"text":"h","n":NaN,"m":1e999}
      {"text":"i","n":-}
      {"text":"j","n":1e999 5}
      """#
    // The format of a file without a name is detected from its first line.
    let found = try read(good + "\n" + bad + "\n", name: "a")
    #expect(found.texts == ["a", "b \" 5", "c \u{fffd} 1e999", "d", "h"])
    #expect(found.counts.count(.jsonLinesBroken) == 5)
    #expect(found.counts.count(.loneSurrogatesReplaced) == 1)
    #expect(try read(good, name: "a.jsonl", ReaderOptions(textField: "a.b")).texts == ["inner"])
    let path = try scratch.write("b.jsonl", good + "\n")
    let batch = try #require(try DocumentReader(inputs: [path]).next())
    var counts = Summary()
    let written = String(decoding: DocumentRenderer().render(batch, counts: &counts), as: UTF8.self)
    #expect(written.hasPrefix(#"{"id":123456789012345678901234567890,"text":"a"}"#))
    #expect(written.contains(#""x":[-1e400,{"y":-99999999999999999999},0,1.5E+999]}"#))
  }

  @Test func detectsFormatByNameAndContent() throws {
    let line = #" {"text":"x"}"# + "\n"
    for name in ["a.json", "b.ndjson", "c.jsonl", "noname"] {
      #expect(try read(line, name: name).texts == ["x"])
    }
    #expect(try read("{a} b\n", name: "noname").texts == ["{a} b"])
    #expect(try read(line, name: "noname", ReaderOptions(format: .text)).texts == [String(line.dropLast())])
    // The first line is longer than a batch.
    let long = #"{"text":""# + String(repeating: "x", count: 5000) + "\"}\n"
    #expect(try read(long, name: "noname", ReaderOptions(batchBytes: 16)).texts.map(\.count) == [5000])
  }

  @Test func strictModeNamesTheLocation() throws {
    let files: [(String, [UInt8], Int)] = [
      ("a.txt", Array("fine\nbad \u{0}".utf8) + [0xff, 0x0a], 2),
      ("b.jsonl", Array("{\"text\":\"x\"}\n\n{\"text\":\n".utf8), 3),
      ("c.jsonl", Array("{\"body\":\"x\"}\n".utf8), 1),
      ("d.jsonl", Array("{\"text\":\"\\ud800\"}\n".utf8), 1),
    ]
    for (name, bytes, line) in files {
      let path = try scratch.write(name, bytes)
      #expect(throws: Never.self) { try ReadDocuments([path]) }
      let failure = #expect(throws: Failure.self) { try ReadDocuments([path], ReaderOptions(isStrict: true)) }
      #expect(failure?.kind == .badInput && failure?.file == path && failure?.line == line)
    }
  }

  @Test func resultDoesNotDependOnBatchSize() throws {
    var random = RandomGenerator(seed: 11)
    for splitting in [DocumentSplitting.line, .paragraph, .file] {
      for round in 0..<40 {
        let text = (0..<random.below(400)).map { _ in
          ["a", "bc ", "\n", "\n\n", "\r\n", "é", " \n"][random.below(7)]
        }
        let path = try scratch.write("\(splitting)-\(round).txt", text.joined())
        let whole = try ReadDocuments([path], ReaderOptions(splitting: splitting))
        let size = 1 + random.below(60)
        #expect(try ReadDocuments([path], ReaderOptions(splitting: splitting, batchBytes: size)) == whole)
      }
    }
  }

  @Test func splitsStreamsBetweenCharacters() throws {
    var random = RandomGenerator(seed: 12)
    for round in 0..<60 {
      let pieces = ["a", "b ", "  ", "\n", " \n", "é ", "\u{a0} ", "\u{3000}", "\r\n ", "中"]
      let text = (0..<random.below(500)).map { _ in pieces[random.below(pieces.count)] }.joined()
      let path = try scratch.write("\(round)", text)
      let options = ReaderOptions(format: .text, splitting: .stream, batchBytes: 1 + random.below(50))
      let found = try ReadDocuments([path], options)
      #expect(found.texts.joined() == text)
    }
  }

  @Test func splitsStreamsWithoutSpaces() throws {
    let text = String(repeating: String(repeating: "中", count: 100_000) + "\n\n", count: 3)
    let found = try ReadDocuments(
      [scratch.write("chinese", text)], ReaderOptions(splitting: .stream, batchBytes: 1 << 16))
    #expect(found.texts.count > 10 && found.texts.joined() == text)
    // Ill-formed sequences are not split either, so they are repaired in the same way.
    let broken =
      [UInt8](repeating: 0x80, count: 1000) + [0xf0, 0x9f, 0x98] + [UInt8](repeating: 0xe4, count: 1000)
    let path = try scratch.write("broken", "")
    try Data(broken).write(to: URL(fileURLWithPath: path))
    let whole = try ReadDocuments([path], ReaderOptions(format: .text, splitting: .file)).texts.joined()
    for size in 1...9 {
      let options = ReaderOptions(format: .text, splitting: .stream, batchBytes: size)
      #expect(try ReadDocuments([path], options).texts.joined() == whole)
    }
  }

  @Test func sortsDirectoriesAndSkipsHiddenFiles() throws {
    for name in ["d/b.txt", "d/a/z.txt", "d/a.txt", "d/.hidden", "d/.git/x", "d/B.txt"] {
      try scratch.write(name, name)
    }
    let found = try ReadDocuments([scratch.path("d"), scratch.path("d/b.txt")])
    #expect(found.texts == ["d/B.txt", "d/a.txt", "d/a/z.txt", "d/b.txt"])
    #expect(throws: Failure.self) { try DocumentReader(inputs: [scratch.path("nowhere")]) }
    try FileManager.default.createDirectory(atPath: scratch.path("empty"), withIntermediateDirectories: true)
    #expect(throws: Failure.self) { try DocumentReader(inputs: [scratch.path("empty")]) }
  }

  @Test func expandsAndSortsPatterns() throws {
    for name in [
      "p/b.wet.gz", "p/a.wet", "p/q/c.wet", "p/q/r/d.wet", "p/q/e.txt", "p/.h.wet", "p/.git/x.wet",
      "p/[1].wet",
    ] {
      try scratch.write(name, name)
    }
    func found(_ pattern: String) throws -> [String] {
      try DocumentReader(inputs: [scratch.path(pattern)]).files.map {
        String($0.dropFirst(scratch.path("").count + 1))
      }
    }
    #expect(try found("p/*.wet") == ["p/[1].wet", "p/a.wet"])
    #expect(try found("p/**/*.wet") == ["p/[1].wet", "p/a.wet", "p/q/c.wet", "p/q/r/d.wet"])
    #expect(try found("p/**/r") == ["p/q/r/d.wet"])
    #expect(try found("p/q/**") == ["p/q/c.wet", "p/q/e.txt", "p/q/r/d.wet"])
    #expect(try found("p/?.wet*") == ["p/a.wet", "p/b.wet.gz"])
    #expect(try found("p/[ab].*") == ["p/a.wet", "p/b.wet.gz"])
    // A file with exactly this name takes precedence.
    #expect(try found("p/[1].wet") == ["p/[1].wet"])
    let failure = #expect(throws: Failure.self) { try found("p/*.nothing") }
    #expect(failure?.kind == .inputOutput)
    // A link to a parent directory is not followed.
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path("p/q/up"), withDestinationPath: scratch.path("p"))
    #expect(try found("p").count == 6 && found("p/**/*.wet").count == 4)
  }

  @Test func skipsAndCountsLongDocuments() throws {
    let long = String(repeating: "x", count: 5000)
    let cases: [(String, String, DocumentSplitting)] = [
      ("a.txt", "one\n\(long)\ntwo\n", .line), ("b.txt", "one\n\n\(long)\n\(long)\n \ntwo\n", .paragraph),
      ("c.jsonl", "{\"text\":\"one\"}\n{\"text\":\"\(long)\"}\n{\"text\":\"two\"}\n", .line),
    ]
    for (name, text, splitting) in cases {
      for batchBytes in [16, 1000, 1 << 20] {
        let options = ReaderOptions(splitting: splitting, longestDocument: 3000, batchBytes: batchBytes)
        let found = try read(text, name: name, options)
        #expect(found.texts == ["one", "two"] && found.counts.count(.documentsTooLong) == 1, "\(name)")
        #expect(found.lines == (splitting == .paragraph ? [1, 6] : [1, 3]))
      }
    }
    let file = try read(long, ReaderOptions(splitting: .file, longestDocument: 3000, batchBytes: 64))
    #expect(file.texts == [] && file.counts.count(.documentsTooLong) == 1)
    let stream = try read(long, ReaderOptions(splitting: .stream, longestDocument: 3000, batchBytes: 64))
    #expect(stream.texts.joined() == long && stream.texts.count > 1)
    let strict = ReaderOptions(isStrict: true, longestDocument: 3000, batchBytes: 64)
    #expect(throws: Failure.self) { try read("one\n\(long)\n", strict) }
  }

  @Test func prefersAFieldNamedWithDots() throws {
    let text = #"""
      {"a":{"b":"inner"},"a.b":"literal"}
      {"a":{"b":"inner"}}
      {"a.b":5,"a":{"b":"x"}}
      """#
    let found = try read(text, name: "a.jsonl", ReaderOptions(textField: "a.b"))
    #expect(found.texts == ["literal", "inner"] && found.counts.count(.jsonTextsMissing) == 1)
  }

  @Test(arguments: [true, false], [true, false]) func reportsAFileThatChanges(grows: Bool, isStrict: Bool)
    throws
  {
    let path = try scratch.write("changes", String(repeating: "line\n", count: 5000))
    let reader = try DocumentReader(
      inputs: [path], options: ReaderOptions(isStrict: isStrict, batchBytes: 1000))
    var counts = try #require(try reader.next()).counts
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    if grows {
      try file.seekToEnd()
      try file.write(contentsOf: Data("more\n".utf8))
    } else {
      try file.truncate(atOffset: 12)
    }
    try file.close()
    if isStrict {
      #expect(throws: Failure.self) { while try reader.next() != nil {} }
    } else {
      while let batch = try reader.next() { counts.merge(batch.counts) }
      #expect(counts.count(.inputsChanged) == 1)
    }
  }

  @Test func readsAReplacedFileAsItWas() throws {
    let path = try scratch.write("old", String(repeating: "line\n", count: 5000))
    let reader = try DocumentReader(inputs: [path], options: ReaderOptions(isStrict: true, batchBytes: 1000))
    var documents = try #require(try reader.next()).count
    #expect(rename(try scratch.write("new", "other\n"), path) == 0)
    while let batch = try reader.next() { documents += batch.count }
    #expect(documents == 5000)
  }

  /// A program that writes a line now and then.
  @Test func readsASlowPipeAsItComes() throws {
    let path = scratch.path("pipe")
    try #require(mkfifo(path, 0o600) == 0)
    let isRead = DispatchSemaphore(value: 0)
    let producer = Thread {
      let descriptor = open(path, O_WRONLY)
      for line in ["a\n", "b\nhalf ", "c\n"] {
        _ = line.utf8CString.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count - 1) }
        _ = isRead.wait(timeout: .now() + 20)
      }
      close(descriptor)
    }
    producer.start()
    let reader = try DocumentReader(inputs: [path])
    var batches: [Int] = []
    while let batch = try reader.next() {
      guard batch.count > 0 else { continue }
      batches.append(batch.count)
      isRead.signal()
    }
    #expect(batches == [1, 1, 1])
  }

  @Test func readsDamagedFilesUpToTheDamage() throws {
    let text = (0..<20_000).map { "line \($0 &* 7919)\n" }.joined()
    for suffix in ["gz", "zst"] {
      let whole = scratch.path("whole.\(suffix)")
      let file = try OutputFile(whole)
      try file.write(text)
      try file.finish()
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: whole)))
      let cut = try scratch.write("cut.\(suffix)", Array(bytes.prefix(bytes.count * 2 / 3)))
      let after = try scratch.write("after.txt", "after\n")
      let found = try ReadDocuments([cut, after])
      #expect(found.counts.count(.inputsDamaged) == 1 && found.texts.last == "after")
      #expect(found.texts.count > 5000)
      #expect(text.hasPrefix(found.texts.dropLast().joined(separator: "\n")))
      let failure = #expect(throws: Failure.self) { try ReadDocuments([cut], ReaderOptions(isStrict: true)) }
      #expect(failure?.kind == .badInput && failure?.offset != nil)
    }
  }

  @Test func mutatedInputNeitherCrashesNorLosesLines() throws {
    let seeds = [
      "{\"text\":\"a \\u00e9 \\ud83d\\ude00\",\"n\":[1,{\"x\":null}]}\n{\"text\":\"b\"}\n{\"m\":{\"text\":\"c\"}}\n",
      "Plain text.\r\n\r\nÉté 中文 😀\n\u{feff}x\u{0}y\nlast",
    ].map { Array($0.utf8) }
    let environment = ProcessInfo.processInfo.environment
    var random = RandomGenerator(seed: environment["PKM_FUZZ_SEED"].flatMap { UInt64($0) } ?? 13)
    for round in 0..<(environment["PKM_FUZZ_RUNS"].flatMap { Int($0) } ?? 3000) {
      var bytes = seeds[round % 2]
      for _ in 0...random.below(4) {
        let at = random.below(bytes.count)
        switch random.below(4) {
        case 0: bytes[at] = UInt8(random.below(256))
        case 1: bytes.remove(at: at)
        case 2: bytes.insert(UInt8(random.below(256)), at: at)
        default: bytes += bytes[at...].prefix(20)
        }
      }
      let path = try scratch.write("fuzz", bytes)
      let options = ReaderOptions(
        format: round % 2 == 0 ? .jsonl : .text, splitting: round % 4 == 1 ? .paragraph : .line,
        batchBytes: 32)
      let found = try ReadDocuments([path], options)
      let lines =
        bytes.split(separator: 0x0a, omittingEmptySubsequences: false).count - (bytes.last == 0x0a ? 1 : 0)
      if options.format == .jsonl {
        // Objects that span several lines are lines of their own for what follows, and their loss is that of a value.
        if found.counts.count(.inputsWithJSONValues) == 0 {
          #expect(found.accountsForJSONLines(lines), "\(round): \(found.counts.line)")
        } else {
          #expect(found.texts.count + found.skippedJSONLines >= min(lines, 1), "\(round)")
        }
      } else if options.splitting == .line {
        #expect(found.texts.count == lines)
      } else {
        // Whatever has letters is in a paragraph.
        func hasText(_ line: some Sequence<UInt8>) -> Bool { line.contains { ($0 | 0x20) &- 0x61 < 26 } }
        let kept = found.texts.reduce(0) { $0 + Array($1.utf8).split(separator: 0x0a).count { hasText($0) } }
        #expect(kept == bytes.split(separator: 0x0a).count { hasText($0) }, "\(round)")
      }
    }
  }

  /// Text of a classic Macintosh, whole or in a pipe that delivers a part at a time.
  @Test(arguments: [16, 1 << 20]) func carriageReturnsEndLinesWhereThereAreNoLineFeeds(batchBytes: Int) throws
  {
    let scratch = try Scratch()
    let path = try scratch.write("mac.txt", "one\rtwo\r\rthree")
    let found = try ReadDocuments([path], ReaderOptions(isStrict: true, batchBytes: batchBytes))
    #expect(found.texts == ["one", "two", "", "three"] && found.lines == [1, 2, 3, 4])
    #expect(found.counts.count(.inputsWithCRLineEnds) == 1)
    let paragraphs = try ReadDocuments([path], ReaderOptions(splitting: .paragraph, batchBytes: batchBytes))
    #expect(paragraphs.texts == ["one\ntwo", "three"])
    // A single LF, or CR LF, and a CR is what it always was.
    for (text, lines) in [("a\rb\nc\r", ["a\rb", "c\r"]), ("a\r\nb\r\n", ["a", "b"]), ("a", ["a"])] {
      let other = try ReadDocuments([scratch.write("other.txt", text)], ReaderOptions(batchBytes: batchBytes))
      #expect(other.texts == lines && other.counts.count(.inputsWithCRLineEnds) == 0, "\(text)")
    }
    // The end of a line that began before the sample ended is not converted back.
    let long = String(repeating: "line\r", count: 50_000)
    #expect(try ReadDocuments([scratch.write("long.txt", long)]).texts.count == 50_000)
  }
}
