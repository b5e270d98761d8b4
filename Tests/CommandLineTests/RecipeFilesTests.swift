import Foundation
import Shards
import TestSupport
import Testing

/// The recipes of `pipelines/` are sound, and run on what they are for.
@Suite(.long, .timeLimit(.minutes(60))) struct RecipeFilesTests {
  private static let pipelines = Repository.url.appendingPathComponent("pipelines")

  /// A recipe in a directory of its own, whose output lies there, too.
  private func copy(_ name: String, to scratch: Scratch) throws -> String {
    let text = try String(
      contentsOf: Self.pipelines.appendingPathComponent(name + ".yaml"), encoding: .utf8)
    #expect(text.contains("output: runs/"))
    return try scratch.write(
      name + ".yaml", text.replacingOccurrences(of: "output: runs/", with: "output: \(scratch.path("runs"))/")
    )
  }

  /// Pages of some paragraphs each of the sample text.
  private func pages(_ count: Int, _ scratch: Scratch) throws -> [String] {
    let sample = Self.pipelines.appendingPathComponent("sample.txt.zst").path
    let text = try Tool.data("normalize", "--quiet", "--punctuation", sample).text
    let paragraphs = text.split(separator: "\n").filter { $0.utf8.count > 300 }
    return (0..<count).map { page in
      paragraphs[(page * 5)..<(page * 5 + 5)].joined(separator: "\n") + "\nThat was the end of it."
    }
  }

  /// A WET file as Common Crawl writes it.
  private func writeWET(_ texts: [String], to path: URL) throws {
    var file = ""
    for (number, text) in texts.enumerated() {
      file +=
        "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://example.org/\(number)\r\n"
        + "WARC-Date: 2024-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:\(number)>\r\nContent-Type: text/plain\r\n"
        + "Content-Length: \(text.utf8.count)\r\n\r\n\(text)\r\n\r\n"
    }
    try FileManager.default.createDirectory(
      at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(file.utf8).write(to: path)
  }

  @Test func webPages() throws {
    let scratch = try Scratch()
    let recipe = try copy("web", to: scratch)
    let pages = try pages(60, scratch)
    let near = pages[3].replacingOccurrences(of: "That was the end", with: "This is the end")
    let bad = [
      "Menu\nHome\nLog in", "lorem ipsum " + pages[5] + " lorem ipsum",
      String(repeating: "buy now ", count: 90),
    ]
    try writeWET(pages + bad + [pages[0], near], to: scratch.url.appendingPathComponent("web/a.warc.wet"))
    let result = try Tool.data("run", recipe)
    #expect(result.status == 0, "\(result.errors)")
    let dataset = try Dataset(scratch.path("runs/web/data"))
    // The rules may find a page of the novels too short of something; no duplicate has stayed.
    #expect((50...60).contains(dataset.index.splits.values.reduce(0) { $0 + $1.documents }))
    #expect(try scratch.text("runs/web/data.work/report.html").contains("c4-lorem-ipsum"))
  }

  @Test func news() throws {
    let scratch = try Scratch()
    let recipe = try copy("cc-news", to: scratch)
    let articles = try pages(40, scratch).map { "“\($0)”" }
    // The same article from another address, in other letters.
    try writeWET(
      articles + [articles[7].uppercased()], to: scratch.url.appendingPathComponent("cc-news/a.warc.wet"))
    let result = try Tool.data("run", recipe)
    #expect(result.status == 0, "\(result.errors)")
    let dataset = try Dataset(scratch.path("runs/cc-news/data"))
    #expect(dataset.index.splits.values.reduce(0) { $0 + $1.documents } == 40)
    let decoded = try Tool.data("decode", scratch.path("runs/cc-news/data"))
    #expect(decoded.text.contains("That was the end of it . \"\n"))
  }

  @Test(arguments: ["quickstart", "novels"]) func theOthersAreSound(name: String) throws {
    let scratch = try Scratch()
    let recipe = try copy(name, to: scratch)
    for file in [
      "sample.txt.zst", "novels/novels.train.jsonl.zst", "novels/novels.valid.jsonl.zst",
      "novels/novels.test.jsonl.zst",
    ] {
      let url = scratch.url.appendingPathComponent(file)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("{\"text\": \"a\"}\n".utf8).write(to: url)
    }
    let plan = try Tool.data("run", "--dry-run", recipe)
    #expect(plan.status == 0 && plan.text.contains("encode train: would run"), "\(plan.errors)")
  }
}
