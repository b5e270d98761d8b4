import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// Compares our filters with datatrove's, run by the interpreter that `PKM_PEERS_PYTHON` names.
@Suite(.peers, .timeLimit(.minutes(60))) struct FilterPeerTests {
  private static let groups = ["gopher-repetition", "gopher-quality", "mc4", "c4", "fineweb"]

  /// Pages made from real prose and the boilerplate of web pages, and prose on its own.
  private static let documents: [String] = {
    let lines = FilterFixture.sample
    let prose = stride(from: 0, to: 4000, by: 40).map {
      lines[$0..<($0 + 5 + $0 % 30)].joined(separator: "\n").trimmingCharacters(in: .whitespacesAndNewlines)
    }
    return (FilterFixture.webDocuments(400, seed: 1) + prose).filter { !$0.allSatisfy(\.isWhitespace) }
  }()

  private struct Decision: Equatable {
    var rule: String?
    var text: String?
  }

  private func ours(_ group: String) throws -> [Decision] {
    let (result, _) = try FilterFixture.run(Self.documents, [group], without: ["empty"]) {
      $0.keepsRejected = true
      $0.annotates = group != "c4"
    }
    guard group == "c4" else {
      return try FilterFixture.annotations(result.documents).map { Decision(rule: $0["rule"]?.string) }
    }
    // The kept documents and their texts; the annotations of the others name the rule.
    var decisions = Self.documents.map { _ in Decision() }
    for (line, text) in zip(result.documents.lines, FilterFixture.texts(result.documents)) {
      decisions[line - 1].text = text
    }
    let rejected = try #require(result.rejected)
    for (line, note) in zip(rejected.lines, try FilterFixture.annotations(rejected)) {
      decisions[line - 1].rule = note["rule"]?.string
    }
    return decisions
  }

  private func theirs(_ command: String) throws -> [String: [Decision]] {
    let lines = try FilterPeers.run([command], texts: Self.documents)
    try #require(lines.count == Self.documents.count)
    var decisions: [String: [Decision]] = [:]
    for line in lines {
      for group in Self.groups {
        let text = group == "c4" ? line["c4-text"]?.string : nil
        decisions[group, default: []].append(Decision(rule: line[group]?.string, text: text))
      }
    }
    return decisions
  }

  /// With our definition of words and symbols, datatrove drops the same documents by the same rules, and its
  /// C4 filter keeps the same text.
  ///
  /// If a document contains both lorem ipsum and {, datatrove names the one that comes first; we use the
  /// order of the rules.
  @Test func agreesWithDatatroveOnTheSameWords() throws {
    let theirs = try theirs("decide-ours")
    for group in Self.groups {
      let ours = try ours(group)
      #expect(ours.contains { $0.rule != nil } && ours.contains { $0.rule == nil }, "\(group)")
      for (index, (a, b)) in zip(ours, theirs[group]!).enumerated() where a != b {
        let pair = Set([a.rule, b.rule].compactMap { $0 })
        if group == "c4" && pair == ["c4-lorem-ipsum", "c4-curly-brackets"] { continue }
        Issue.record(
          "\(group): ours \(a), theirs \(b), document \(index): \(Self.documents[index].debugDescription)")
      }
    }
  }

  /// With spaCy's words and datatrove's own list of symbols, a few documents near a threshold get a different
  /// decision.
  ///
  /// spaCy has several hundred exceptions, and our rules fit on one page. When this was written, it was one
  /// of these 498 documents, all made to be near a threshold: it contains `'em` often.
  @Test func nearlyAgreesWithSpaCysWords() throws {
    let theirs = try theirs("decide-datatrove")
    for group in Self.groups {
      let differing = zip(try ours(group), theirs[group]!).count { ($0.rule == nil) != ($1.rule == nil) }
      print(
        "\(group): \(differing) of \(Self.documents.count) documents are judged differently with spaCy's words"
      )
      #expect(differing * 50 <= Self.documents.count, "\(group)")
    }
  }
}

enum FilterPeers {
  /// Passes the texts as JSON lines and reads one JSON value per line.
  static func run(_ arguments: [String], texts: [String]) throws -> [JSONValue] {
    try Peers.run("filter_peers.py", arguments, texts: texts).split(separator: 0x0a).map {
      try JSONValue(parsing: Array($0))
    }
  }
}
