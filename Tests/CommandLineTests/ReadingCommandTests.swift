import Foundation
import TestSupport
import Testing

/// Options that all commands share for what they read.
@Suite(.timeLimit(.minutes(60))) struct ReadingCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let plain = ["--form", "none", "--keep-whitespace", "--keep-controls"]

  private func normalize(_ arguments: [String], input: Data? = nil) throws -> Subprocess.Result {
    try Tool.data.run(["normalize"] + Self.plain + arguments, input: input, in: scratch.url)
  }

  @Test func crawlFilesBecomeJSONLines() throws {
    let record = { (text: String) in
      """
      WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a/\(text)\r\nContent-Type: text/plain\r
      Content-Length: \(text.utf8.count)\r\n\r\n\(text)\r\n\r\n
      """
    }
    for (name, text) in [("b.wet", "second"), ("a.wet", "first")] { try scratch.write(name, record(text)) }
    let lines = ["first", "second"].map { #"{"text":"\#($0)","url":"http://a/\#($0)"}"# + "\n" }
    for threads in ["1", "2", "5"] {
      #expect(try normalize(["*.wet", "--threads", threads]).text == lines.joined())
    }
    #expect(try normalize(["*.wet", "--output-format", "text"]).text == "first\nsecond\n")
    #expect(try normalize(["--input-format", "text", "a.wet"]).text.hasPrefix("WARC/1.0\n"))
    let dedup = try Tool.data("dedup", "a.wet", "b.wet", "a.wet", in: scratch.url)
    #expect(dedup.text == lines.joined())
    #expect(try normalize(["c*.wet"]).status == 74)
  }

  /// A download that was cut within the first bytes of a compressed file is a damaged file, not a text.
  @Test(
    arguments: [
      ("a.gz", [0x1f]), ("a.gz", [0x1f, 0x8b]), ("a.jsonl.gz", [0x1f, 0x8b, 8]), ("a.zst", [0x28]),
      ("a.zst", [0x28, 0xb5]), ("a.txt.zst", [0x28, 0xb5, 0x2f]), ("a.zst", [0x50]),
      ("a.warc.zst", [0x5d, 0x2a, 0x4d]),
    ] as [(String, [UInt8])]) func aStubOfACompressedFileIsDamage(name: String, bytes: [UInt8]) throws
  {
    try scratch.write(name, bytes)
    try scratch.write("b.txt", "text\n")
    let found = try normalize([name, "b.txt", "--output-format", "text", "--summary", "s.json"])
    #expect(found.status == 0 && found.text == "text\n", "\(found.errors)")
    let counts = try readSummary(scratch.path("s.json"))
    let kind = name.hasSuffix("gz") ? "gzip_members_damaged" : "zstd_frames_damaged"
    #expect(counts["inputs_damaged"] as? Int == 1 && counts[kind] as? Int == 1, "\(counts)")
    #expect(try normalize([name, "b.txt", "--strict"]).status == 65)
    // Alone, it holds no document.
    #expect(try normalize([name]).status == 65)
    // The same bytes under another name, or behind a whole member.
    if bytes == [0x28] {
      try scratch.write("c.txt", bytes)
      #expect(try normalize(["c.txt"]).text == "(\n")
    }
    let whole = try scratch.compressed(
      Array("whole\n".utf8), as: "w" + (name.hasSuffix("gz") ? ".gz" : ".zst"))
    try scratch.write(name, whole + bytes)
    let cut = try normalize([name, "--input-format", "text", "--summary", "s.json"])
    #expect(cut.text == "whole\n", "\(cut.errors)")
    #expect(try readSummary(scratch.path("s.json"))[kind] as? Int == 1)
    #expect(try normalize([name, "--input-format", "text", "--strict"]).status == 65)
  }

  /// What a directory holds that is no input is left out even so: it cannot be read, and nothing is lost of it.
  @Test func aPipeInADirectoryPassesStrict() throws {
    try scratch.write("d/a.txt", "a\n")
    #expect(try runShell("mkfifo d/pipe", in: scratch.url).status == 0)
    let result = try normalize(["d", "--strict", "--summary", "s.json"])
    #expect(result.status == 0 && result.text == "a\n" && result.errors.contains("d/pipe: neither a file"))
    #expect(try readSummary(scratch.path("s.json"))["inputs_skipped_special"] as? Int == 1)
    let help = try Tool.data("normalize", "--help").text.split(whereSeparator: \.isWhitespace)
    #expect(
      help.joined(separator: " ").contains("Pipes, devices, datasets and outputs in a directory are no input")
    )
  }

  /// A line of text among JSON lines would be no JSON to the next reader.
  @Test func oneOutputHasOneFormat() throws {
    try scratch.write("a.txt", "plain \"text\"\n")
    try scratch.write("b", #"{"text":"a line","id":1}"# + "\n")
    try scratch.write("c.txt", "more\n")
    let (text, json) = (#"{"text":"plain \"text\""}"# + "\n", #"{"text":"a line","id":1}"# + "\n")
    #expect(try normalize(["a.txt", "b"]).text == text + json)
    #expect(try normalize(["b", "a.txt"]).text == json + text)
    #expect(try normalize(["-", "b"], input: Data("plain \"text\"\n".utf8)).text == text + json)
    #expect(try normalize(["a.txt", "c.txt"]).text == "plain \"text\"\nmore\n")
    #expect(try normalize(["a.txt", "b", "--output-format", "text"]).text == "plain \"text\"\na line\n")
    #expect(try normalize(["a.txt", "b", "--input-format", "text"]).text == "plain \"text\"\n" + json)
    for command in [
      ["filter", "--min-words", "1"], ["dedup"], ["dedup", "--method", "minhash", "--ngram", "1"],
    ] {
      #expect(try Tool.data.run(command + ["a.txt", "b"], in: scratch.url).text == text + json)
    }
    // A name is a promise.
    for name in ["out.jsonl", "out.jsonl.zst"] {
      #expect(try normalize(["a.txt", "-o", name]).status == 0)
      #expect(try normalize([name]).text == text)
    }
  }

  @Test func characterSetsAreNamedOrFound() throws {
    let cafe = Data([0x63, 0x61, 0x66, 0xe9, 0x0a])
    #expect(try normalize(["--encoding", "latin1"], input: cafe).text == "café\n")
    #expect(try normalize(["--encoding", "auto", "--summary", "s.json"], input: cafe).text == "café\n")
    #expect(try readSummary(scratch.path("s.json"))["charset_windows_1252"] as? Int == 1)
    let refused = try normalize(["--encoding", "windos-1252"], input: cafe)
    #expect(refused.status == 64 && refused.errors.contains("Did you mean \"windows-1252\"?"))
    let unknown = try normalize(["--encoding", "klingon"], input: cafe)
    #expect(unknown.status == 64 && unknown.errors.contains("koi8-r") && unknown.errors.count < 400)
  }

  @Test func invalidTextIsReplacedRefusedOrDropped() throws {
    let input = Data("one\nt".utf8) + [0xff] + Data("o\nthree\n".utf8)
    #expect(try normalize([], input: input).text == "one\nt\u{fffd}o\nthree\n")
    #expect(try normalize(["--invalid", "drop"], input: input).text == "one\nthree\n")
    let refused = try normalize(["--invalid", "error"], input: input)
    #expect(refused.status == 65 && refused.errors.contains("standard input:2"))
    let long = try normalize(
      ["--max-document-size", "4", "--summary", "s.json"], input: Data("one\nthree\n".utf8))
    #expect(
      try long.text == "one\n" && readSummary(scratch.path("s.json"))["documents_too_long"] as? Int == 1)
    let learning = try Tool.data(
      "learn-bpe", "--invalid", "drop", "-o", "b.json", input: input, in: scratch.url)
    #expect(learning.status == 64 && learning.errors.contains("--documents"))
  }

  /// A file that may not be opened ends the run before it begins, one that cannot be read ends it there.
  ///
  /// Nothing is written.
  @Test func unreadableFilesAreNamed() throws {
    try scratch.write("good.txt", "good\n")
    try scratch.write("closed.txt", "closed\n")
    // Permission bits do not stop the superuser: another user runs the tool then.
    let refused = try runShell(
      #"""
      chmod 755 . && chmod 000 closed.txt && mkdir out && chmod 777 out
      as=; if test "$(id -u)" = 0; then as="setpriv --reuid=65534 --regid=65534 --clear-groups"; fi
      $as pkm-data normalize good.txt closed.txt -o out/x.txt
      """#, in: scratch.url)
    #expect(refused.status == 74 && refused.errors.contains("closed.txt: cannot open: Permission denied"))
    #expect(refused.errors.contains("Check the permissions"))
    for threads in ["1", "2"] {
      // The first page of a process's memory is never there.
      let failed = try normalize(["good.txt", "/proc/self/mem", "--threads", threads, "-o", "out/x.txt"])
      #expect(failed.status == 74 && failed.errors.contains("/proc/self/mem: cannot read: "))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("out")).isEmpty)
  }

  /// What a reader at the other end of a pipe sees when the producer pauses: it goes on when its first line has arrived.
  @Test func slowInputComesOutAsItGoesIn() throws {
    let result = try runShell(
      #"""
      { echo first; for i in {1..600}; do test -e seen && break; sleep 0.1; done
        test -e seen && echo second; } | pkm-data normalize --quiet | { read -r line; touch seen; echo "$line"; cat; }
      """#, in: scratch.url)
    #expect(result.text == "first\nsecond\n")
  }
}
