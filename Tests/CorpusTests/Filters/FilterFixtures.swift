import Corpus
import Foundation
import Support
import TestSupport

/// Documents to filter, and helpers that run the filter.
enum FilterFixture {
  /// Filters texts as the documents of one batch.
  static func run(
    _ texts: [String], _ rules: [String], set: [String] = [], without: [String] = [],
    given: [String: Double] = [:], _ change: (inout DocumentFilter) -> Void = { _ in }
  ) throws -> (result: DocumentFilter.Result, counts: Summary) {
    var filter = DocumentFilter(
      try FilterSelection(rules: rules, without: without, thresholds: set, given: given))
    change(&filter)
    var counts = Summary()
    return (try filter.filter(batch(texts), counts: &counts), counts)
  }

  static func batch(_ texts: [String]) -> DocumentBatch {
    var batch = DocumentBatch(
      source: DocumentSource(index: 0, path: "test", format: .text, splitting: .file))
    for (index, text) in texts.enumerated() {
      batch.ranges.append(batch.bytes.count..<(batch.bytes.count + text.utf8.count))
      batch.bytes += text.utf8
      batch.lines.append(index + 1)
    }
    return batch
  }

  static func texts(_ batch: DocumentBatch) -> [String] {
    var texts: [String] = []
    batch.forEachDocument { texts.append(String(decoding: $1, as: UTF8.self)) }
    return texts
  }

  /// The field that annotation added to each document.
  static func annotations(_ batch: DocumentBatch) throws -> [JSONValue] {
    var counts = Summary()
    let lines = DocumentRenderer(format: .jsonl).render(batch, counts: &counts)
    return try lines.split(separator: 0x0a).map { try JSONValue(parsing: Array($0))["filter"]! }
  }

  /// The values of all rules for one text.
  static func values(
    _ text: String, _ rules: [String] = ["gopher", "mc4", "fineweb"], given: [String: Double] = [:]
  ) throws -> [String: Double] {
    let (result, _) = try run([text], rules, without: ["empty"], given: given) { $0.annotates = true }
    guard case .object(let members)? = try annotations(result.documents)[0]["values"] else { return [:] }
    return Dictionary(
      uniqueKeysWithValues: members.map { (String(decoding: $0.key, as: UTF8.self), $0.value.number!) })
  }

  /// The first rule that a text fails.
  static func failed(_ text: String, _ rules: [String], set: [String] = []) throws -> String? {
    let (result, _) = try run([text], rules, set: set) { $0.annotates = true }
    return try annotations(result.documents)[0]["rule"]?.string
  }

  /// The sample text of the quick start: prose in the public domain.
  static let sample: [String] = {
    guard let bytes = try? Fixtures.bytes(at: Repository.path("pipelines/sample.txt.zst")) else {
      preconditionFailure("no sample text")
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .map(String.init)
  }()

  /// Documents like web pages, made from the sample: each violates a different rule, or none.
  static func webDocuments(_ count: Int, seed: UInt64) -> [String] {
    var random = RandomGenerator(seed: seed)
    let prose = sample.filter { $0.count > 40 }
    let boilerplate = [
      "Home", "Contact us", "Read more...", "Please enable JavaScript to view this page.", "Click here…",
      "Terms of use and privacy policy apply.", "We use cookies. Learn more in our Cookie Policy.", "Share:",
      "• first point", "- second point", "#tag #other #more", "Lorem ipsum dolor sit amet, consectetur.",
      "function f(x) { return x; }", "Price: $1,299.00 (incl. VAT)", "Posted on 12/05/2019 at 10:30",
      "See the article[1] of the editors[edit] for it[citation needed].", "www.example.com/page?id=3",
      "He said: \"It isn't so.\"", "", "   ", "It's COVID-19, e.g. in the U.S.A. and end.Start of a_b@c.org!",
      "。你好世界。これはテストです。", "Ça va? Très bien! Привет, мир. ¿Qué tal?",
    ]
    return (0..<count).map { number in
      var lines: [String] = []
      let kind = number % 8
      for _ in 0..<(1 + random.below(14)) {
        let isProse = random.below(10) < [9, 6, 3, 8, 8, 9, 5, 7][kind]
        var line =
          isProse ? prose[random.below(prose.count)] : boilerplate[random.below(boilerplate.count)]
        if kind == 3 && random.below(3) == 0 { line = "- " + line }
        if kind == 4 && random.below(3) == 0 { line += "..." }
        if kind == 5 { line = String(line.prefix(20 + random.below(400))) }
        if kind == 6 && !lines.isEmpty && random.below(2) == 0 { line = lines[random.below(lines.count)] }
        if kind == 7 && random.below(3) == 0 {
          let words = line.split(separator: " ").prefix(12)
          line = Array(repeating: words.joined(separator: " "), count: 1 + random.below(4)).joined(
            separator: " ")
        }
        lines.append(line)
        if random.below(6) == 0 { lines.append("") }
      }
      while lines.last?.isEmpty == true { lines.removeLast() }
      while lines.first?.isEmpty == true { lines.removeFirst() }
      return lines.joined(separator: "\n")
    }
  }
}
