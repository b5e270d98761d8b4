import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct LanguageTests {
  private static let texts: [(language: String, text: String)] = [
    ("en", "A few yards down the passage, in the narrow way hewn out of the living rock, she had paused."),
    (
      "et",
      "Ja ta viis Tema Jeruusalemma ja asetas ta pühakoja harjale ning ütles Talle:\nkukuta Ennast siit alla!"
    ),
    (
      "eu",
      "Eta bercetaric batre etzén venturatzen hequin nahastecatzera: baina magnificatzen cituen hec populuac."
    ),
    ("lv", "Bet kā jums šķiet? Kādam cilvēkam bija divi dēli; un viņš gāja pie pirmā un sacīja."),
    ("sw", "Wale watumishi wakatoka, wakaenda njiani, wakawaleta watu wote, wabaya na wema."),
    ("uk", "інші ж човни поприходили з Тиверияди поблизу місця, де їли хліб, як хвалу оддав Господь;"),
  ]

  private func kept(
    _ language: [String], drop: [String] = [], threshold: Double = 0.65, texts: [String]? = nil
  ) throws -> (lines: [Int], counts: Summary) {
    var given: [String: Double] = [:]
    if drop.isEmpty || !language.isEmpty { given["language"] = threshold }
    if !drop.isEmpty { given["drop-language"] = threshold }
    let identifier = try LanguageIdentifier(reading: fixtures.path("languages.ftz"))
    let (result, counts) = try FilterFixture.run(texts ?? Self.texts.map(\.text), [], given: given) {
      $0.language = try? LanguageRule(
        identifier: identifier, kept: language, dropped: drop, threshold: threshold)
    }
    return (result.documents.lines, counts)
  }

  @Test func keepsAndDropsByLanguage() throws {
    let identifier = try LanguageIdentifier(reading: fixtures.path("languages.ftz"))
    #expect(identifier.languages.sorted() == ["en", "et", "eu", "lv", "sw", "uk"])
    #expect(try kept(["en", "lv"]).lines == [1, 4])
    #expect(try kept(["en", "lv"]).counts.count(CountName("dropped_language")) == 4)
    #expect(try kept([], drop: ["sw", "et"]).lines == [1, 3, 4, 6])
    #expect(try kept(["uk", "sw"], drop: ["sw"]).lines == [6])
    #expect(try kept([]).lines == [1, 2, 3, 4, 5, 6])
    #expect(throws: Failure.self) {
      try LanguageRule(identifier: identifier, kept: ["xx"], dropped: [], threshold: 0.5)
    }
  }

  @Test func decidesAtTheThreshold() throws {
    let mixed = Self.texts[0].text + " " + Self.texts[4].text
    let identifier = try LanguageIdentifier(reading: fixtures.path("languages.ftz"))
    let (result, _) = try FilterFixture.run([mixed], [], given: ["language": 0]) {
      $0.language = try? LanguageRule(identifier: identifier, kept: ["sw"], dropped: [], threshold: 0)
      $0.annotates = true
    }
    let note = try FilterFixture.annotations(result.documents)[0]
    let score = try #require(note["values"]?["language"]?.number)
    #expect(score > 0.001 && score < 0.999, "\(score)")
    #expect(try kept(["sw"], threshold: score - 1e-5, texts: [mixed]).lines == [1])
    #expect(try kept(["sw"], threshold: score + 1e-5, texts: [mixed]).lines == [])
    #expect(try kept([], drop: ["sw"], threshold: score - 1e-5, texts: [mixed]).lines == [])
    #expect(try kept([], drop: ["sw"], threshold: score + 1e-5, texts: [mixed]).lines == [1])
    // A score that is the threshold reaches it: that of a text without known words is 0.
    #expect(try kept([], drop: ["sw"], threshold: 0, texts: ["☃"]).lines == [])
    #expect(try kept(["sw"], threshold: 0, texts: ["☃"]).lines == [1])
  }

  @Test func annotatesTheLanguage() throws {
    let identifier = try LanguageIdentifier(reading: fixtures.path("languages.ftz"))
    let (result, _) = try FilterFixture.run(Self.texts.map(\.text), [], given: ["language": 0.65]) {
      $0.language = try? LanguageRule(identifier: identifier, kept: ["en"], dropped: [], threshold: 0.65)
      $0.annotates = true
    }
    let notes = try FilterFixture.annotations(result.documents)
    #expect(notes.map { $0["language"]?.string } == Self.texts.map(\.language))
    #expect(notes.allSatisfy { (0.65...1).contains($0["language_score"]?.number ?? 0) })
    #expect(notes.map { $0["kept"]?.bool } == [true, false, false, false, false, false])
  }

  @Test func treatsLineFeedsAsSpacesOnAnyThread() throws {
    let identifier = try LanguageIdentifier(reading: fixtures.path("languages.ftz"))
    let rule = try LanguageRule(identifier: identifier, kept: [], dropped: [], threshold: 0)
    var filter = DocumentFilter(try FilterSelection(rules: [], given: ["language": 0]))
    filter.language = rule
    filter.annotates = true
    let shared = filter
    let spaced = Self.texts.map { $0.text.replacingOccurrences(of: "\n", with: " ") }
    var counts = Summary()
    let expected = try FilterFixture.annotations(
      shared.filter(FilterFixture.batch(spaced), counts: &counts).documents)
    var results: [[JSONValue]] = []
    var given = 0
    try OrderedPipeline.run(
      threads: 4,
      next: {
        given += 1
        return given > 100 ? nil : given
      },
      work: { _ in
        var counts = Summary()
        return try FilterFixture.annotations(
          shared.filter(FilterFixture.batch(Self.texts.map(\.text)), counts: &counts).documents)
      }, consume: { results.append($0) })
    #expect(results.count == 100 && results.allSatisfy { $0 == expected })
  }

  @Test func rejectsBrokenModels() throws {
    let scratch = try Scratch()
    let model = try Fixtures.bytes(at: fixtures.path("languages.ftz"))
    for (name, bytes) in [
      ("empty", []), ("text", Array("not a model at all".utf8)),
      ("half", Array(model.prefix(model.count / 2))),
      ("start", Array(model.prefix(60))), ("short", Array(model.dropLast())),
    ] as [(String, [UInt8])] {
      #expect(throws: Failure.self, "\(name)") { try LanguageIdentifier(reading: scratch.write(name, bytes)) }
    }
    #expect(throws: Failure.self) { try LanguageIdentifier(reading: scratch.path("missing")) }
  }
}
