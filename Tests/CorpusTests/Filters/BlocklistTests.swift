import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct BlocklistTests {
  private func hits(_ phrases: [String], _ text: String) throws -> Double? {
    let (result, _) = try FilterFixture.run([text], [], without: ["empty"], given: ["blocklist": 0]) {
      $0.blocklist = Blocklist(phrases: phrases)
      $0.annotates = true
    }
    return try FilterFixture.annotations(result.documents)[0]["values"]?["blocklist"]?.number
  }

  @Test func matchesWholeWordsOfAnyCase() throws {
    let phrases = ["bad", "very  BAD thing", "C++", "straße", "性", "グロ", "ÉTÉ"]
    #expect(try hits(phrases, "Bad!") == 1 && hits(phrases, "badly unbad bad_x bad1") == 0)
    #expect(try hits(phrases, "a very bad\n\tthing") == 2)
    #expect(try hits(phrases, "the c++11") == 1 && hits(phrases, "xc++") == 0)
    #expect(try hits(phrases, "STRAßE, été") == 2 && hits(phrases, "stra") == 0)
    #expect(try hits(phrases, "男性の") == 1 && hits(phrases, "エログロナ") == 1)
    #expect(try hits(phrases, "") == 0 && hits(phrases, "bad-bad") == 2)
  }

  @Test func findsOverlappingPhrases() throws {
    var random = RandomGenerator(seed: 4)
    func word(_ limit: Int) -> String {
      String((0..<(1 + random.below(limit))).map { _ in ["a", "b", " "][random.below(3)] }.joined())
    }
    for _ in 0..<200 {
      let phrases = Array(
        Set((0..<4).map { _ in word(4).split(separator: " ").joined(separator: " ") }).subtracting([""]))
      let text = word(40).split(separator: " ").joined(separator: " ")
      let padded = Array(" \(text) ")
      var expected = 0
      for phrase in phrases {
        let wanted = Array(" \(phrase) ")
        for start in padded.indices where padded[start...].starts(with: wanted) { expected += 1 }
      }
      #expect(try hits(phrases, text) == Double(expected), "\(phrases) \(text)")
    }
  }

  @Test func readsFilesOfPhrases() throws {
    let scratch = try Scratch()
    let path = try scratch.write("list", "one\n\n  two words \r\n")
    let list = try Blocklist(reading: path)
    #expect(list.phraseCount == 2)
    #expect(throws: Failure.self) { try Blocklist(reading: scratch.write("empty", " \n\n")) }
    #expect(throws: Failure.self) { try URLBlocklist(reading: scratch.write("comments", "# one\n")) }
    #expect(throws: Failure.self) { try Blocklist(reading: scratch.path("missing")) }
  }

  /// An entry that could never be found is refused, with its line.
  @Test func refusesEntriesThatBlockNothing() throws {
    let scratch = try Scratch()
    let latin = try scratch.write("latin", Array("word\nb".utf8) + [0xe9, 0x0a])
    let readers: [() throws -> Void] = [
      { _ = try Blocklist(reading: latin) }, { _ = try URLBlocklist(reading: latin) },
    ]
    for read in readers {
      let failure = #expect(throws: Failure.self) { try read() }
      #expect(failure?.kind == .badInput && failure?.line == 2 && failure?.remedy?.contains("UTF-8") == true)
    }
    for line in [
      "*.bad.com", "0.0.0.0 bad.com", "||bad.com^", "bad.com # a comment", "http://", "bad.com,worse.com",
      "/path",
    ] {
      let path = try scratch.write("list", "# hosts\n\ngood.com\n\(line)\n")
      let failure = #expect(throws: Failure.self, "\(line)") { try URLBlocklist(reading: path) }
      #expect(failure?.line == 4 && failure?.remedy?.isEmpty == false, "\(line)")
    }
    let fine = "bad.com\r\n  https://u@bad.org:80/a%20b?c=d&e#f*  \nbücher.de\n[::1]:8080\nx-n_m.co.uk.\n"
    #expect(try URLBlocklist(reading: scratch.write("list", "\u{feff}" + fine)).count == 5)
  }

  @Test func matchesURLs() throws {
    let list = URLBlocklist(addresses: [
      "# hosts", "bad.com", "https://www.Evil.org/", " example.com/forum/ ", "10.0.0.1",
    ])
    #expect(list.count == 4)
    let lines = [
      "http://bad.com/", "https://www.sub.bad.com:8080/x", "http://notbad.com", "http://bad.com.org/",
      "evil.org",
      "https://user@EVIL.org./?q", "http://example.com/forum", "http://example.com/forum/x?y",
      "http://example.com/forums", "http://example.com/a/forum", "https://10.0.0.1/", "",
    ]
    let expected = [true, true, false, false, true, true, true, true, false, false, true, false]
    let scratch = try Scratch()
    let path = try scratch.write(
      "in.jsonl",
      lines.map { "{\"text\":\"x\",\"meta\":{\"url\":\"\($0)\"}}\n" }.joined() + "{\"text\":\"no address\"}\n"
    )
    let reader = try DocumentReader(inputs: [path])
    let batch = try #require(try reader.next())
    var filter = DocumentFilter(try FilterSelection(rules: [], given: ["url-blocklist": 0]))
    filter.urlBlocklist = list
    filter.urlField = "meta.url"
    var counts = Summary()
    let kept = try filter.filter(batch, counts: &counts).documents
    #expect(kept.lines == (1...13).filter { $0 == 13 || !expected[$0 - 1] })
    #expect(counts.count(.documentsWithoutURL) == 1)
    #expect(counts.count(CountName("dropped_url_blocklist")) == expected.count { $0 })
  }
}
